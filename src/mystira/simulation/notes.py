"""What a playing household was told, written down at once: a line each, for the witness's look at the end."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from mystira.simulation.replays import Replay

Event = Literal["holds", "gone", "doubt", "played", "badge", "contradicted"]
"""What a line means.

    holds         the record has these facts from now on
    gone          it was deleted
    doubt         it may have these facts, or (without facts) be a step further, or be gone
    played        the session stands as `replay` says
    badge         a step brought a profile this badge, named by `facts`
    contradicted  an answer was not what it must be (`detail`)
"""


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `facts` are values by their path in the record, such as `settings.theme`."""

    event: Event
    kind: str
    key: str
    facts: dict[str, Any] = msgspec.field(default_factory=dict)
    replay: Replay | None = None
    detail: str = ""


_decoder: Final = msgspec.json.Decoder(Note)


def read_notes(paths: Iterable[Path]) -> Iterator[Note]:
    """The lines of several files; a last one that was cut off by its writer's death is left out."""
    for path in paths:
        with path.open("rb") as file:
            yield from (_decoder.decode(line) for line in file if line.endswith(b"\n"))
