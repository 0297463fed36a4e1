"""`mystira seed`: the stories that come with the platform, and all that belongs to them, brought in."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter
from rich.table import Table

from mystira.cli import exits
from mystira.cli.connection import service_of
from mystira.cli.content_import import Brought, Outcome
from mystira.cli.options import AsJson, DataFolder, Url
from mystira.cli.output import answer, bar
from mystira.cli.seeding import Seeding
from mystira.clients.content import PATIENCE, ContentClient

_STAYED: Final = ("refused", "exists")
_SHOWN: Final[tuple[Outcome, ...]] = (
    "created",
    "replaced",
    "changed",
    "restored",
    "unchanged",
    "exists",
    "refused",
)

_CALLED: Final = {"scenario": "story", "manifest": "bundle"}
"""How people call what a zip has other words for."""


class Seeded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of everything that is shipped."""

    items: list[Brought]


async def seed(
    *,
    keep: Annotated[
        bool, Parameter(name="--keep", negative=(), help="Leave what is there already and differs as it is.")
    ] = False,
    data_folder: DataFolder = None,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Bring in the stories that come with the platform: published, with their words, badges and pictures.

    Done again, it changes nothing. What differs from what is shipped is replaced, and so becomes a new
    version; what was withdrawn is published again. Ends with 1 where
    something was refused, or differs and stayed.
    """
    items: list[Brought] = []
    async with service_of(url, data_folder, seconds=PATIENCE) as service:
        seeding = Seeding(ContentClient(service), replace=not keep)
        with bar("bringing in", quiet=json) as show:
            done = 0
            async for some in seeding.run():
                items += some
                done += 1
                show(done, seeding.total)
    answer(Seeded(items=items), json, _table(items), *_stayed(items))
    return exits.NO if any(each.outcome in _STAYED for each in items) else exits.OK


def _table(items: Sequence[Brought]) -> Table:
    counted = Counter((each.what, each.outcome) for each in items)
    outcomes = [outcome for outcome in _SHOWN if any(each.outcome == outcome for each in items)]
    table = Table("", *outcomes)
    for what in dict.fromkeys(each.what for each in items):
        table.add_row(_CALLED.get(what, what), *(str(counted[what, outcome] or "") for outcome in outcomes))
    return table


def _stayed(items: Sequence[Brought]) -> list[str]:
    return [
        f"{each.item}: {each.outcome}"
        + (f" ({each.note})" if each.note else "")
        + "".join(f"\n    {found.message}" for found in each.findings if found.is_error)
        for each in items
        if each.outcome in _STAYED
    ]
