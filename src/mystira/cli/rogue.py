"""`mystira rogue`: writes that were made behind the engine's back, and what stands."""

from typing import Annotated, Final

from cyclopts import App, Parameter
from rich.table import Table

from manystore.followers.settling import Keep
from mystira.cli import exits
from mystira.cli.connection import admin_of
from mystira.cli.options import AsJson, DataFolder, KindName, Seeing, Url
from mystira.cli.output import answer
from mystira.clients.admin import Document

app: Final = App(name="rogue", help_format="plaintext")


@app.command(name="list")
async def list_(
    kind: KindName,
    *,
    reason: Seeing = None,
    data_folder: DataFolder = None,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """List the rogue writes that both stores keep: where, when, by whom; with --json what was written."""
    async with admin_of(url, data_folder) as admin:
        found = await admin.rogue_writes(kind, reason)
    answer(found, json, _table(found) if found else f"Nobody wrote {kind} behind the engine's back.")
    return exits.OK


@app.command
async def settle(
    kind: KindName,
    key: Annotated[str, Parameter(help="The record's key.")],
    version: Annotated[int, Parameter(help="The version that the rogue write left, as listed.")],
    *,
    store: Annotated[str, Parameter(help="The store that keeps it, as listed.")],
    keep: Annotated[
        Keep, Parameter(help="What stands: the word of the truth, or what the rogue write left.")
    ],
    reason: Annotated[str, Parameter(help="Why; it is kept with your name.")],
    data_folder: DataFolder = None,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Decide about one rogue write. What is given up stays in the audit."""
    async with admin_of(url, data_folder) as admin:
        done = await admin.settle(kind, key, version, store=store, keep=keep, reason=reason)
    written = (
        "nothing had to be written" if done["written"] is None else f"written as version {done['written']}"
    )
    word = "The truth's word" if keep == "truth" else "What was written there"
    answer(done, json, f"{word} stands for {kind}/{key}; {written}.")
    return exits.OK


def _table(found: list[Document]) -> Table:
    table = Table("store", "key", "version", "found at", "by")
    for each in found:
        table.add_row(each["store"], each["key"], str(each["version"]), each["foundAt"], each["by"] or "–")
    return table
