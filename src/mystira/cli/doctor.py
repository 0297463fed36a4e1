"""`mystira doctor`: looks at this machine and at the platform, and says what to mend."""

from typing import Final

import msgspec
from rich.markup import escape
from rich.table import Table

from mystira.cli import exits
from mystira.cli.checks import Check, check_address, check_machine
from mystira.cli.options import AsJson, DataFolder
from mystira.cli.output import answer
from mystira.cli.server_checks import check_documents, check_postgres, check_redis
from mystira.settings import load_settings
from mystira.supervisor import read_roster

_MARKS: Final = {
    "ok": "[green]ok[/]",
    "warn": "[yellow]warn[/]",
    "fail": "[bold red]fail[/]",
    "skip": "[dim]skip[/]",
}


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """All that was looked at; `healthy` where nothing failed."""

    healthy: bool
    checks: tuple[Check, ...]


async def doctor(*, data_folder: DataFolder = None, json: AsJson = False) -> int:
    """Check Python, programs, folder, disk, ports, servers, schema, capture and kinds. Alters nothing.

    Ends with 1 if something failed; what is only worth a look (warn) does not count.
    """
    settings = load_settings(data_folder=data_folder)
    roster = read_roster(settings.data_folder)
    reached = settings
    if roster is not None:
        reached = settings.with_servers(postgres_url=roster.postgres_url, redis_url=roster.redis_url)
    checks = [
        *check_machine(settings),
        *await check_address(settings, roster),
        *await check_postgres(reached),
        *await check_redis(reached.redis_url),
        *await check_documents(settings),
    ]
    diagnosis = Diagnosis(healthy=all(check.state != "fail" for check in checks), checks=tuple(checks))
    answer(diagnosis, json, _table(checks), _verdict(checks))
    return exits.OK if diagnosis.healthy else exits.NO


def _table(checks: list[Check]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2))
    for check in checks:
        remedy = f"\n→ {escape(check.remedy)}" if check.remedy else ""
        table.add_row(_MARKS[check.state], check.name, escape(check.found) + remedy)
    return table


def _verdict(checks: list[Check]) -> str:
    failed = sum(check.state == "fail" for check in checks)
    warned = sum(check.state == "warn" for check in checks)
    if failed:
        return f"[bold red]{failed} to mend[/], {warned} worth a look."
    return f"[green]Nothing to mend[/], {warned} worth a look."
