"""`mystira store`: one record as both stores hold it, and what split kinds leave behind."""

from typing import Annotated, Any, Final

import msgspec
from cyclopts import App, Parameter
from rich.table import Table
from rich.text import Text

from mystira.cli import exits
from mystira.cli.connection import admin_of
from mystira.cli.options import AsJson, DataFolder, KindName, Seeing, Url
from mystira.cli.output import answer, bar
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


@app.command
async def sweep(
    kind: KindName, *, data_folder: DataFolder = None, url: Url = None, json: AsJson = False
) -> int:
    """Take off what died writers of a split kind left in documents. Ends with 1 where a part is not sound.

    Workers do so every hour. It may run at any time, beside any writers, and takes nothing that is needed.
    """
    with bar(f"sweep {kind}", quiet=json) as show:
        async with admin_of(url, data_folder) as admin:
            done = await admin.sweep(kind, lambda far: show(far["sheets"] + far["records"], None))
    answer(done, json, *_swept(done))
    return exits.NO if done["lostCount"] or done["alteredCount"] else exits.OK


def _swept(done: Document) -> list[Text]:
    told = [f"{done['records']:,} records looked at; {done['pruned']:,} had something left behind, now gone."]
    for keys, what in ((done["lost"], "lost"), (done["altered"], "altered")):
        if count := done[f"{what}Count"]:
            more = f", and {count - len(keys):,} more" if count > len(keys) else ""
            told.append(f"{count:,} with a part {_UNSOUND[what]}: {', '.join(keys)}{more}")
    return [Text(line) for line in told]


_UNSOUND: Final = {
    "lost": "that is gone (repair them from the other store of the move, or from a backup)",
    "altered": "that somebody else changed (see mystira rogue list, then write the record again)",
}


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
