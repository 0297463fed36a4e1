"""`mystira schema`: the tables of PostgreSQL, step by step. Needs the database, not a running platform."""

from typing import Annotated, Final

from cyclopts import App, Parameter

from mystira.cli import exits
from mystira.cli.options import AsJson, DataFolder
from mystira.cli.output import answer
from mystira.cli.refusals import CommandError
from mystira.errors import SettingError
from mystira.schema import upgrades
from mystira.settings import load_settings
from mystira.supervisor import reach

app: Final = App(name="schema", help_format="plaintext")


@app.command
async def current(*, data_folder: DataFolder = None, json: AsJson = False) -> int:
    """Show at which revision the tables are, and which is the newest. Ends with 1 where they differ."""
    at, newest = await upgrades.current(_url(data_folder)), upgrades.head()
    document = {"current": at, "head": newest, "isCurrent": at == newest}
    answer(document, json, f"The tables are at {at or 'no revision'}; the newest is {newest}.")
    return exits.OK if at == newest else exits.NO


@app.command
async def upgrade(
    revision: Annotated[str, Parameter(help="The revision to reach.")] = "head",
    *,
    data_folder: DataFolder = None,
    json: AsJson = False,
) -> int:
    """Take every step up to a revision. Waits briefly for busy tables, and never holds up writes."""
    url = _url(data_folder)
    await upgrades.upgrade(url, revision)
    return await _tell(url, json)


@app.command
async def downgrade(
    revision: Annotated[str, Parameter(help="The revision to go back to; `base` removes all tables.")],
    *,
    yes: Annotated[bool, Parameter(name="--yes", negative=(), help="Yes, remove what it added.")] = False,
    data_folder: DataFolder = None,
    json: AsJson = False,
) -> int:
    """Take every step back to a revision. Tables and columns that later steps added go, with their data."""
    if not yes:
        reasons = ["Say --yes if that is what you want."]
        raise CommandError("Going back removes data for good.", reasons, exit_code=exits.USAGE, code="usage")
    url = _url(data_folder)
    await upgrades.downgrade(url, revision)
    return await _tell(url, json)


def _url(data_folder: DataFolder) -> str:
    settings = load_settings(data_folder=data_folder)
    url = settings.postgres_session_url or reach(settings).postgres_url
    if url is None:
        raise SettingError(source="MYSTIRA_POSTGRES_URL", problem="is missing, and no platform is up")
    return url


async def _tell(url: str, json: bool) -> int:
    at = await upgrades.current(url)
    answer({"current": at, "head": upgrades.head()}, json, f"The tables are at {at or 'no revision'}.")
    return exits.OK
