"""`mystira simulate`: families who use a platform at a set rate, and a witness of what they were told.

By default they do what families do: come in by mailed codes, play stories to their ends, buy, and go again.
With `--load records` there are only accounts and profiles, which change as fast as is wished.
"""

import asyncio
import signal
import tempfile
import time
import uuid
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import RenderableType
from rich.table import Table

from mystira.cli import exits
from mystira.cli.connection import service_of
from mystira.cli.options import AsJson, DataFolder, Url
from mystira.cli.output import answer, bar, notes
from mystira.cli.refusals import CommandError
from mystira.clients.errors import ProblemError
from mystira.clients.service import Service
from mystira.clients.service_key import find_service_key
from mystira.settings import load_settings
from mystira.simulation.judgement import Hearing, Judge
from mystira.simulation.latency import Milliseconds
from mystira.simulation.ledger import read_ledgers
from mystira.simulation.notes import read_notes
from mystira.simulation.pauses import longest_pause
from mystira.simulation.processes import TrafficError, TrafficProcesses, share_out, traffic_processes
from mystira.simulation.reading import read_back
from mystira.simulation.traffic import Load
from mystira.simulation.traffic import Tally as Seen
from mystira.simulation.witness import Evidence, Tally, conclude

Loading = Annotated[
    Load,
    Parameter(
        help="Families that play (play), or accounts and profiles that change (records).", show_choices=False
    ),
]


class Simulated(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What came of it. Latencies are in milliseconds, from when each request was wanted to its answer;
    `longest_pause` is the longest time for which no write of a process was acknowledged though some were due;
    it is known of the load `records` alone. `faults` counts server errors, each of which breaks a promise.
    """

    address: str
    seconds: float
    requests: int
    rate: float
    repeated: int
    faults: int
    turned_away: int
    waited_seconds: float
    operations: dict[str, Milliseconds]
    problems: dict[str, int]
    longest_pause: float | None
    witness: Tally
    interrupted: bool


async def simulate(
    *,
    rate: Annotated[float, Parameter(help="Requests a second, of all processes together.")] = 50.0,
    seconds: Annotated[float, Parameter(help="How long; Ctrl-C ends it sooner.")] = 30.0,
    processes: Annotated[int, Parameter(help="How many processes share the rate.")] = 2,
    load: Loading = "play",
    seed: Annotated[int, Parameter(help="The same seed wants the same things.")] = 1,
    data_folder: DataFolder = None,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Let families sign up by code, play stories, buy, change things and leave, then check every record.

    The load is open: each request is made when somebody wants it, and its latency counts from then. Ends with
    1 where a promise was broken: an acknowledged write is lost, a record or a play is not as it was
    acknowledged, a story counts twice or not at all, or the platform answered with an error of its own.
    Playing takes a platform that keeps mail for its mailbox page and has stories that are published.
    """
    if rate <= 0 or seconds <= 0 or processes < 1:
        raise CommandError("Rate, seconds and processes are above zero.", exit_code=exits.USAGE, code="usage")
    with tempfile.TemporaryDirectory(prefix="mystira-simulate-") as folder:
        async with service_of(url, data_folder) as service:
            await _require_what_it_takes(service, load)
            # It was found by now, or that would have been refused.
            key = find_service_key(load_settings(data_folder=data_folder))
            orders = share_out(
                url=service.url,
                folder=Path(folder),
                run=uuid.uuid4().hex[:8],
                rate=rate,
                seconds=seconds,
                processes=processes,
                seed=seed,
                load=load,
            )
            try:
                async with traffic_processes(Path(folder), orders, service_key=key) as traffic:
                    interrupted = await _let_run(traffic, seconds, json)
            except TrafficError as error:
                raise CommandError(str(error), code="traffic_failed") from error
            tally = await (_judge if load == "play" else _compare)(service, traffic, json)
        found = _simulated(service.url, traffic, tally, interrupted=interrupted, load=load)
    answer(found, json, *_describe(found))
    if interrupted:
        return exits.INTERRUPTED
    return exits.OK if tally.is_clean and not found.faults else exits.NO


async def _require_what_it_takes(service: Service, load: Load) -> None:
    """Raise CommandError for a platform on which nobody could come in or play."""
    # Asked once before anything is started: a wrong address is told at once, and not by every family.
    await service.ask("GET", "/api/v1/accounts", query={"limit": "1"})
    if load == "records":
        return
    try:
        await service.ask("GET", "/mailbox/messages", query={"to": "nobody@families.example"})
    except ProblemError as error:
        if error.status != 404:
            raise
        reason = "This platform sends its mail: codes cannot be read here. `--load records` needs none."
        raise CommandError(reason, code="no_mailbox") from error
    if not (await service.ask("GET", "/api/v1/scenarios", query={"limit": "1"})).body["items"]:
        raise CommandError("No story is published: `mystira seed` brings some in.", code="no_stories")


async def _let_run(traffic: TrafficProcesses, seconds: float, json: bool) -> bool:
    """Wait for the end; whether it came by a signal, after which answers that are due still count."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    began = time.monotonic()
    ending = asyncio.create_task(traffic.ended())
    telling = asyncio.create_task(told.wait())
    try:
        with bar("families", quiet=json) as show:
            while not ending.done() and not telling.done():
                await asyncio.wait({ending, telling}, timeout=0.25, return_when=asyncio.FIRST_COMPLETED)
                show(min(time.monotonic() - began, seconds), seconds, _note(traffic.tally))
        if telling.done():
            notes().print("Stopping; answers that are due are waited for.")
            await traffic.stop()
        await ending
    finally:
        telling.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return told.is_set()


def _note(load: Seen) -> str:
    problems = sum(load.problems.values())
    return (
        f"s  {load.requests:,} requests, p99 {load.writes.percentile(0.99) * 1000:.0f} ms, {problems} refused"
    )


async def _compare(service: Service, traffic: TrafficProcesses, json: bool) -> Tally:
    evidence = await asyncio.to_thread(lambda: Evidence(read_ledgers(traffic.ledgers)))
    places = sorted(evidence.touched)
    with bar("reading back", quiet=json) as show:
        findings = await read_back(service, evidence, places, lambda done: show(done, len(places)))
    return conclude(evidence, findings)


async def _judge(service: Service, traffic: TrafficProcesses, json: bool) -> Tally:
    hearing = await asyncio.to_thread(lambda: Hearing(read_notes(traffic.ledgers)))
    with bar("looking at everything", quiet=json) as show:
        return await Judge(service, hearing).judge(show)


def _pause_of(traffic: TrafficProcesses) -> float:
    pauses = [longest_pause(read_ledgers([path]), 0.0, float("inf")) for path in traffic.ledgers]
    return round(max(pauses, default=0.0) * 1000, 1)


def _simulated(
    address: str, traffic: TrafficProcesses, tally: Tally, *, interrupted: bool, load: Load
) -> Simulated:
    seen = traffic.tally
    return Simulated(
        address=address,
        seconds=round(seen.seconds, 2),
        requests=seen.requests,
        rate=round(seen.requests / seen.seconds, 1) if seen.seconds else 0.0,
        repeated=seen.repeated,
        faults=seen.faults,
        turned_away=seen.turned_away,
        waited_seconds=round(seen.waited, 3),
        operations={name: Milliseconds.of(seen.latencies[name]) for name in sorted(seen.latencies)},
        problems=seen.problems,
        longest_pause=_pause_of(traffic) if load == "records" else None,
        witness=tally,
        interrupted=interrupted,
    )


def _describe(found: Simulated) -> list[RenderableType]:
    title = f"{found.requests:,} requests in {found.seconds:.0f} s: {found.rate:.0f} a second"
    table = Table("operation", "count", "p50 ms", "p90 ms", "p99 ms", "max ms", title=title)
    for name, figures in found.operations.items():
        table.add_row(name, f"{figures.count:,}", *(f"{each:,.1f}" for each in _milliseconds(figures)))
    problems = ", ".join(f"{count} {code}" for code, count in found.problems.items()) or "none"
    witness = found.witness
    return [
        table,
        f"refused or given up: {problems}; repeated: {found.repeated}; turned away here: {found.turned_away}",
        f"server errors: {found.faults}",
        *([] if found.longest_pause is None else [f"longest write pause: {found.longest_pause:,.0f} ms"]),
        f"witness: {witness.acknowledged:,} acknowledged writes on {witness.records:,} records, "
        f"{witness.lost} lost, {witness.divergent} divergent",
        *(
            f"  {each.sort}: {each.kind}/{each.key} ({each.where}): {each.detail}"
            for each in witness.findings[:10]
        ),
    ]


def _milliseconds(figures: Milliseconds) -> tuple[float, ...]:
    return figures.p50, figures.p90, figures.p99, figures.max
