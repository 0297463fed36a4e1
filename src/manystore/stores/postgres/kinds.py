"""All that the store knows of one kind: its codec, its statements, and how its refusals read."""

from collections.abc import Iterable, Sequence
from typing import Any

from manystore.errors import InvalidRecordError
from manystore.records import Kind, Record
from manystore.stores.postgres.codec import Codec
from manystore.stores.postgres.condensing import Condensing
from manystore.stores.postgres.connections import Connections
from manystore.stores.postgres.culprits import Culprits
from manystore.stores.postgres.layout import Layout
from manystore.stores.postgres.mapping import Mapping
from manystore.stores.postgres.merging import Merging
from manystore.stores.postgres.reading import Reading
from manystore.stores.postgres.refusals import Refusals
from manystore.stores.postgres.remembered import Remembered
from manystore.stores.postgres.single import Single


class MappedKind:
    """One mapping, made ready once for the life of a store."""

    def __init__(self, mapping: Mapping, store: str) -> None:
        self.mapping, self.kind = mapping, mapping.kind
        self.codec = Codec(mapping, store)
        self.layout = Layout(mapping)
        self.reading = Reading(self.layout)
        self.condensing = Condensing(mapping, self.layout)
        self.single = Single(self.layout)
        self.merging = Merging(self.layout)
        self.remembered = Remembered(self.codec)
        self.refusals = Refusals(mapping, store)
        self.culprits = Culprits(mapping, self.layout, self.codec.names)

    async def look_up(self, connections: Connections, keys: Iterable[str]) -> dict[str, Record]:
        """Records and tombstones under `keys`, all as of one moment. Raises UnavailableError."""
        askable = [key for key in dict.fromkeys(keys) if is_askable(self.kind, key)]
        if not askable:
            return {}
        rows = await connections.fetch(self.reading.lookup, askable)
        return {row[-2]: self.record(row) for row in rows}

    def record(self, row: Sequence[Any]) -> Record:
        """What a row says whose last two columns are the key and the version of a tombstone."""
        if row[0] is None:
            return Record(row[-2], row[-1], None)
        return self.codec.decode(row)


def is_askable(kind: Kind, key: str) -> bool:
    """Whether a record could have this key; the server would stumble over others rather than find nothing."""
    try:
        kind.check_key(key)
    except InvalidRecordError:
        return False
    return True
