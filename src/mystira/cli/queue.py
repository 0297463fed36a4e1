"""`mystira queue`: changes that a copy could not take yet, or has given up."""

from typing import Annotated, Final

import msgspec
from cyclopts import App, Parameter
from rich.json import JSON
from rich.table import Table

from mystira.cli import exits
from mystira.cli.connection import admin_of
from mystira.cli.options import AsJson, DataFolder, KindName, Url
from mystira.cli.output import answer
from mystira.cli.refusals import CommandError
from mystira.clients.admin import Document

app: Final = App(name="queue", help_format="plaintext")

Key = Annotated[str, Parameter(help="The record's key.")]


@app.command(name="list")
async def list_(
    kind: KindName, *, data_folder: DataFolder = None, url: Url = None, json: AsJson = False
) -> int:
    """List what waits: retrying, parked (for what), or dead (why)."""
    async with admin_of(url, data_folder) as admin:
        entries = await admin.queue(kind)
    answer(entries, json, _table(entries) if entries else f"Nothing waits in the queue of {kind}.")
    return exits.OK


@app.command
async def show(
    kind: KindName, key: Key, *, data_folder: DataFolder = None, url: Url = None, json: AsJson = False
) -> int:
    """Show one queued change, whole."""
    async with admin_of(url, data_folder) as admin:
        entry = await admin.queued(kind, key)
    answer(entry, json, JSON(msgspec.json.encode(entry).decode()))
    return exits.OK


@app.command
async def replay(
    kind: KindName,
    key: Annotated[str | None, Parameter(help="The record's key.")] = None,
    *,
    all_: Annotated[bool, Parameter(name="--all", negative=(), help="Every change that waits.")] = False,
    data_folder: DataFolder = None,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Try a change again, or all of them."""
    if (key is None) != all_:
        raise CommandError("Name one key, or say --all.", exit_code=exits.USAGE, code="usage")
    async with admin_of(url, data_folder) as admin:
        done = await admin.replay(kind, key)
    answer(done, json, f"{done.get('replayed', 1)} will be tried again at once.")
    return exits.OK


@app.command
async def drop(
    kind: KindName,
    key: Key,
    *,
    reason: Annotated[str, Parameter(help="Why; it is kept with your name.")],
    data_folder: DataFolder = None,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Give a change up for good. Verification will still name what the copy lacks."""
    async with admin_of(url, data_folder) as admin:
        done = await admin.drop(kind, key, reason)
    answer(done, json, f"The queued change of {kind}/{key} is dropped.")
    return exits.OK


def _table(entries: list[Document]) -> Table:
    table = Table("key", "version", "state", "attempts", "why", "waits for")
    for entry in entries:
        waits = entry.get("waitsFor")
        table.add_row(
            entry["key"],
            str(entry["version"]),
            entry["state"],
            str(entry["attempts"]),
            entry["reason"],
            f"{waits['kind']}/{waits['key']}" if waits else "–",
        )
    return table
