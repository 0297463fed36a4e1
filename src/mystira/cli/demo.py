"""`mystira demo`: the whole way in one go, shown as it happens, with a verdict at the end."""

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from mystira.cli import exits
from mystira.cli.options import AsJson
from mystira.cli.output import answer, notes
from mystira.cli.refusals import CommandError
from mystira.cli.showing import Plain, Quiet, Shown, watcher
from mystira.demonstration.deaths import Victims
from mystira.demonstration.report import Moved, Pause, Report
from mystira.demonstration.scene import StepFailedError, Wishes
from mystira.demonstration.script import demonstrate
from mystira.simulation.processes import TrafficError

_WHOLE_SECONDS = 240.0
"""After so long a demonstration is given up, whatever it is at."""


async def demo(
    *,
    accounts: Annotated[int, Parameter(help="Former accounts in the document store.")] = 20_000,
    profiles_share: Annotated[float, Parameter(help="Share of them that have a profile.")] = 0.1,
    rate: Annotated[float, Parameter(help="Requests a second of the traffic.")] = 180.0,
    processes: Annotated[int, Parameter(help="Processes of the traffic.")] = 3,
    seed: Annotated[int, Parameter(help="The same seed makes the same people.")] = 1,
    workers: Annotated[int, Parameter(help="Workers that share the moves.")] = 2,
    victims: Annotated[
        Victims, Parameter(help="Who is killed at every step: workers, anybody, or nobody.")
    ] = "workers",
    breath: Annotated[float, Parameter(help="Seconds of traffic after each change of truth.")] = 0.5,
    keep: Annotated[bool, Parameter(negative=(), help="Keep the data folder also on success.")] = False,
    data_folder: Annotated[
        Path | None, Parameter(name="--data-folder", help="A new folder; .mystira/demo-SEED unless set.")
    ] = None,
    json: AsJson = False,
) -> int:
    """Start a platform of its own, move live records to PostgreSQL, back and there again, and prove it.

    Accounts and profiles move, parents first, and a worker is killed at every step of either; a witness
    outside notes every acknowledged write and compares at the end. Ends with 0 only if nothing is lost or
    divergent and no pause was too long.
    """
    folder = _fresh_folder(data_folder, seed)
    wishes = Wishes(
        folder=folder,
        accounts=accounts,
        profiles_share=profiles_share,
        twins=min(3, accounts // 2),
        orphans=3 if profiles_share else 0,
        rate=rate,
        processes=processes,
        workers=workers,
        seed=seed,
        victims=victims,
        breath=breath,
    )
    with watcher(json) as shown, _terminated():
        report = await _play(wishes, shown)
    if report.is_success and not keep:
        _clear(folder)
    answer(report, json, *_describe(report, folder))
    return exits.OK if report.is_success else exits.NO


async def _play(wishes: Wishes, shown: Shown | Plain | Quiet) -> Report:
    try:
        async with asyncio.timeout(_WHOLE_SECONDS):
            return await demonstrate(wishes, shown)
    except StepFailedError as error:
        reasons = (*error.conditions, f"Everything is kept in {wishes.folder}.")
        raise CommandError(str(error), reasons, code="step_failed") from error
    except TrafficError as error:
        raise CommandError(str(error), code="traffic_failed") from error
    except asyncio.CancelledError:
        notes().print(f"Stopped. Everything is kept in {wishes.folder}.")
        raise
    except TimeoutError as error:
        reasons = (f"Everything is kept in {wishes.folder}.",)
        raise CommandError(
            f"It took longer than {_WHOLE_SECONDS:.0f} s.", reasons, code="too_slow"
        ) from error


def _fresh_folder(wished: Path | None, seed: int) -> Path:
    """A folder that is not there yet: nobody's data are ever written over."""
    if wished is not None:
        if wished.exists() and any(wished.iterdir()):
            message = f"Folder {wished} is not empty: name one that is not there yet."
            raise CommandError(message, exit_code=exits.USAGE, code="folder_not_empty")
        return wished.absolute()
    root = Path(".mystira").absolute()
    names = (f"demo-{seed}" if number == 1 else f"demo-{seed}-{number}" for number in range(1, 10_000))
    return next(root / name for name in names if not (root / name).exists())


def _clear(folder: Path) -> None:
    """Remove what was made, but the certificates, which prove something."""
    for path in folder.iterdir():
        if path.is_dir() and path.name != "objects":
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_file():
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _terminated() -> Iterator[None]:
    """SIGTERM ends the command as Ctrl-C does: in order, with nothing left running."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    told = False

    def stop() -> None:
        nonlocal told
        told = True
        if task is not None:
            task.cancel()

    loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        yield
    except asyncio.CancelledError:
        if told:
            raise KeyboardInterrupt from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _describe(report: Report, folder: Path) -> Sequence[RenderableType]:
    verdict = "[bold green]Nothing was lost.[/]" if report.is_success else "[bold red]It failed.[/]"
    failures = [f"  - {escape(failure)}" for failure in report.failures]
    named = [
        f"  {found.sort}: {found.kind}/{found.key} ({found.where}): {escape(found.detail)}"
        for found in report.witness.findings[:10]
    ]
    kept = [] if report.is_success else [f"Everything is kept in {folder}."]
    return [_table(report), verdict, *failures, *named, *kept]


def _table(report: Report) -> Table:
    title = f"Moved there, back and there again, under traffic (seed {report.seed})"
    table = Table(show_header=False, title=title)
    witness, load = report.witness, report.load
    table.add_row("acknowledged writes", f"{witness.acknowledged:,} on {witness.records:,} records known")
    table.add_row("lost", _wanted_zero(witness.lost))
    table.add_row("divergent", _wanted_zero(witness.divergent))
    for pause in report.pauses:
        table.add_row(f"{pause.step}, {pause.kind}", _pause_line(pause))
    for moved in report.kinds:
        table.add_row(f"copy, {moved.kind}", _copy_line(moved))
        table.add_row(f"killed, {moved.kind}", ", ".join(moved.killed_at) or "nobody")
    refused = ", ".join(each.why for each in report.refused)
    table.add_row("refused with reasons", refused)
    killed = f"{report.workers} of them, killed {report.kills}×, started again {report.restarts}×"
    table.add_row("workers", killed)
    if report.kills:
        after = report.recovered
        recovered = f"p50 {after.p50 / 1000:.1f}, p99 {after.p99 / 1000:.1f}, max {after.max / 1000:.1f} s"
        table.add_row("recovered from a kill", recovered)
    table.add_row(
        "requests",
        f"{load.requests:,} at {load.rate:.0f}/s; "
        f"reads p50 {load.reads.p50:.1f}, p99 {load.reads.p99:.1f} ms; "
        f"writes p50 {load.writes.p50:.1f}, p99 {load.writes.p99:.1f}, max {load.writes.max:.0f} ms",
    )
    table.add_row("refused or given up", _problems(load.problems))
    for moved in report.kinds:
        table.add_row(f"certificate, {moved.kind}", moved.certificate)
    table.add_row("duration", f"{report.seconds:.1f} s")
    return table


def _pause_line(pause: Pause) -> str:
    style = "[green]" if pause.is_short else "[red]"
    coordinator = "its worker died after it" if pause.coordinator is None else f"{pause.coordinator:.0f} ms"
    people = f"people waited p50 {pause.people_p50:.0f} ms, max {pause.people_max:.0f} ms"
    return f"writes stopped for {style}{coordinator}[/]; {people}"


def _copy_line(moved: Moved) -> str:
    copied, lag = moved.copy, moved.lag
    waited = f", {copied.queued:,} waited for parents" if copied.queued else ""
    return (
        f"{copied.records:,} records in {copied.seconds:.1f} s{waited}; "
        f"lag p50 {lag.p50:.0f} ms, p99 {lag.p99:.0f} ms, max {lag.max:.0f} ms"
    )


def _wanted_zero(count: int) -> str:
    return f"[green]{count}[/]" if count == 0 else f"[bold red]{count}[/]"


def _problems(problems: dict[str, int]) -> str:
    return ", ".join(f"{count} {code}" for code, count in problems.items()) or "none"
