"""Ids of rows that no document knows, made here where many rows are copied.

Their columns have a default of the server's, which serves whoever writes a row by hand. A copy does not wait
for it: a server built without OpenSSL opens /dev/urandom for each UUID, which took a sixth of its time in a
copy of accounts. And random ids touch the whole of an index, where those that rise (UUID version 7, RFC 9562)
grow it at its end and leave the rest alone.
"""

import os
import time
from typing import Final

import sqlalchemy as sa

_RANDOM_DEFAULTS: Final = ("gen_random_uuid()", "uuidv4()", "uuidv7()")
_COUNTED: Final = 1 << 12
_COUNTS: Final = [count.to_bytes(2, "big") for count in range(0x7000, 0x7000 + _COUNTED)]
_HIGH, _LOW = (bytes(count[at] for count in _COUNTS) for at in (0, 1))
_VARIANT: Final = bytes(0x80 | byte & 0x3F for byte in range(256))
"""The two bits at the head of a UUID's second half that say by which rules it was made."""


def made_id(table: sa.Table, fed: set[str]) -> str | None:
    """The column of a table that has a made UUID as its primary key, which nothing feeds."""
    columns = list(table.primary_key.columns)
    if len(columns) != 1 or columns[0].name in fed or not isinstance(columns[0].type, sa.Uuid):
        return None
    default = columns[0].server_default
    if not isinstance(default, sa.DefaultClause) or str(default.arg) not in _RANDOM_DEFAULTS:
        return None
    return columns[0].name


def make_ids(count: int) -> list[str]:
    """So many UUIDs of version 7 without hyphens, those of one call in rising order up to 4096 of them."""
    made = bytearray(os.urandom(16 * count))
    for at, byte in enumerate((time.time_ns() // 1_000_000).to_bytes(6, "big")):
        made[at::16] = bytes((byte,)) * count
    turns = -(-count // _COUNTED)
    made[6::16] = (_HIGH * turns)[:count]
    made[7::16] = (_LOW * turns)[:count]
    made[8::16] = made[8::16].translate(_VARIANT)
    return made.hex("\n", 16).split("\n") if count else []
