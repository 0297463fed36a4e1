"""Options that several commands share, so that they are called alike and mean the same."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from mystira.placement import PLACEMENT


def _kinds(_: Any) -> Iterable[str]:
    return [entry.kind.name for entry in PLACEMENT]


AsJson = Annotated[bool, Parameter(name="--json", negative=(), help="Answer with one JSON document.")]

DataFolder = Annotated[
    Path | None,
    Parameter(name="--data-folder", help="The platform's data folder; MYSTIRA_DATA_FOLDER, else .mystira."),
]

Url = Annotated[
    str | None,
    Parameter(
        name="--url",
        help="The platform's address, such as http://127.0.0.1:8080, instead of the one in its data folder.",
    ),
]

Seeing = Annotated[
    str | None,
    Parameter(
        name="--reason",
        help="Why you need to see personal values, which are masked otherwise; it is kept with your name.",
    ),
]

KindName = Annotated[
    str, Parameter(help="A kind of record, such as accounts or user_profiles.", completer=_kinds)
]
