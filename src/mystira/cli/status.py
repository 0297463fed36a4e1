"""`mystira status`: where every kind stands, and what runs."""

import datetime as dt

import msgspec
from rich.table import Table

from mystira.cli import exits
from mystira.cli.connection import service_of
from mystira.cli.options import AsJson, DataFolder, Url
from mystira.cli.output import answer, duration
from mystira.clients.admin import AdminClient, Document
from mystira.settings import load_settings
from mystira.supervisor import Roster, read_roster


async def status(*, data_folder: DataFolder = None, url: Url = None, json: AsJson = False) -> int:
    """Show phase, truth, copy, lag, queue, rogue writes and task of every kind, and what runs."""
    roster = None if url is not None else read_roster(load_settings(data_folder=data_folder).data_folder)
    async with service_of(url, data_folder) as service:
        address = service.url
        kinds = await AdminClient(service).moves()
    processes = [] if roster is None else msgspec.to_builtins(roster.processes)
    document = {"address": address, "processes": processes, "kinds": kinds}
    shown = [kinds_table(kinds)] if roster is None else [kinds_table(kinds), _processes_table(roster)]
    answer(document, json, *shown)
    return exits.OK


def kinds_table(kinds: list[Document]) -> Table:
    """Where kinds stand, one a row."""
    table = Table("kind", "phase", "epoch", "truth", "copy", "lag", "queue", "rogue", "task", "certificate")
    for kind in kinds:
        table.add_row(
            kind["kind"],
            kind["phase"] + (f" → {kind['drainingTo']}" if kind.get("drainingTo") else ""),
            str(kind["epoch"]),
            kind["truth"],
            kind["copy"] or "–",
            _lag(kind),
            _queue(kind["queue"]),
            _rogue(kind.get("rogueWrites") or {}),
            _task(kind.get("task")),
            kind.get("certificate") or "–",
        )
    return table


def _lag(kind: Document) -> str:
    lag = kind.get("lagSeconds") or {}
    if not kind.get("following") or not lag:
        return "–"
    return f"{duration(lag.get('last'))}, worst {duration(lag.get('worst'))}"


def _queue(queue: Document) -> str:
    waiting = [f"{count} {state}" for state, count in queue.items() if count]
    return ", ".join(waiting) or "empty"


def _rogue(counts: Document) -> str:
    return ", ".join(f"{count} in {store}" for store, count in counts.items() if count) or "none"


def _task(task: Document | None) -> str:
    return "–" if task is None else f"{task['action']}: {task['state']}"


def _processes_table(roster: Roster) -> Table:
    table = Table("process", "pid", "up for", "restarts", title=f"{roster.address}  (process {roster.pid})")
    now = dt.datetime.now(dt.UTC)
    for process in roster.processes:
        age = duration((now - process.since).total_seconds())
        table.add_row(process.name, str(process.pid), age, str(process.restarts))
    return table
