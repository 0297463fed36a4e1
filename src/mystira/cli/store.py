"""`mystira store`: one record as both stores hold it."""

from typing import Annotated, Any, Final

import msgspec
from cyclopts import App, Parameter
from rich.table import Table
from rich.text import Text

from mystira.cli import exits
from mystira.cli.connection import admin_of
from mystira.cli.options import AsJson, DataFolder, KindName, Seeing, Url
from mystira.cli.output import answer
from mystira.clients.admin import Document

app: Final = App(name="store", help_format="plaintext")


@app.command
async def compare(
    kind: KindName,
    key: Annotated[str, Parameter(help="The record's key.")],
    *,
    reason: Seeing = None,
    data_folder: DataFolder = None,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Show a record side by side, as the truth and the copy hold it. Ends with 1 where they differ."""
    async with admin_of(url, data_folder) as admin:
        found = await admin.compare(kind, key, reason)
    answer(found, json, _headline(found), _table(found))
    return exits.OK if found["difference"] is None or not found["following"] else exits.NO


def _headline(found: Document) -> Text:
    record = f"{found['kind']}/{found['key']}"
    if found["difference"] is None:
        return Text(f"{record}: both agree", style="bold green")
    where = f" in {', '.join(found['fields'])}" if found["fields"] else ""
    return Text(f"{record}: {found['copy']['store']} is {found['difference']}{where}", style="bold red")


def _table(found: Document) -> Table:
    sides = (found["truth"], found["copy"])
    table = Table(
        "property", *(f"{side['store']} ({role})" for side, role in zip(sides, _ROLES, strict=True))
    )
    table.add_row("version", *(_version(side) for side in sides))
    contents: list[Document] = [side["content"] or {} for side in sides]
    for name in dict.fromkeys([*contents[0], *contents[1]]):
        table.add_row(name, *(_value(content, name) for content in contents))
    return table


_ROLES: Final = ("truth", "copy")


def _version(side: Document) -> str:
    if side["version"] is None:
        return "nothing there"
    return f"{side['version']}, deleted" if side["isDeleted"] else str(side["version"])


def _value(content: dict[str, Any], name: str) -> Text:
    return Text(msgspec.json.encode(content[name]).decode() if name in content else "–")
