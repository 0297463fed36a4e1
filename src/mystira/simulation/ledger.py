"""What a witness writes down: every acknowledged write, before it asks the next thing of that record.

The witness stands outside the platform. It knows what it asked for and what it was told, and trusts nothing
else. Its ledgers are files to which whole lines are added, one file a process, so that whatever becomes of
the platform, or of a witness, what had been acknowledged until then stays written.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, Self

import msgspec

Document = dict[str, Any]

Event = Literal["seeded", "acknowledged", "implied", "unclear", "seen", "contradicted"]
"""What a line says about a record.

    seeded        it was put into the store before anything began
    acknowledged  the platform confirmed a write: from now on this must be found
    implied       a confirmed write of another record must have led to this
    unclear       a write got no clear answer: from now on this may be found, or what was there before
    seen          a read gave this, and must have been right
    contradicted  an answer did not say what was asked for (`detail`)
"""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a ledger.

    `document` is the record as the App API shows it, None where it is deleted. `version` is None where the
    platform did not tell; `untold` names properties whose value it chose and did not tell. `hidden` is what
    a seeded record holds beside that, and must hold for ever. `due` is when the simulated person wanted it,
    `at` when the answer was there: seconds of the machine's monotonic clock, which all processes share.
    """

    event: Event
    kind: str
    key: str
    version: int | None = None
    document: Document | None = None
    untold: tuple[str, ...] = ()
    hidden: Document | None = None
    operation: str = ""
    due: float = 0.0
    at: float = 0.0
    detail: str = ""


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Entry)


class Ledger:
    """One process's ledger, open for adding."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def write(self, *entries: msgspec.Struct) -> None:
        """Add entries. When this returns they outlive this process, whatever signal ends it."""
        if self._file is None:
            raise RuntimeError(f"Ledger {self.path} is written before it was opened")
        text = memoryview(b"".join(_encoder.encode(entry) + b"\n" for entry in entries))
        while text:
            text = text[os.write(self._file, text) :]


def read_ledger(path: Path) -> Iterator[Entry]:
    """The entries of a ledger in order; a last line that was cut off by the writer's death is left out."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield _decoder.decode(line)


def read_ledgers(paths: Iterable[Path]) -> Iterator[Entry]:
    """The entries of several ledgers, one after the other: no record is in more than one of them."""
    for path in paths:
        yield from read_ledger(path)
