"""A demonstration as people see it: drawn live on a terminal, in lines elsewhere, and not with `--json`."""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table

from mystira.cli.output import out
from mystira.demonstration.report import Load, Step


class Quiet:
    """Shows nothing."""

    def begins(self, title: str) -> None:
        """See Watcher."""

    def goes(self, done: float, total: float | None, note: str = "") -> None:
        """See Watcher."""

    def ended(self, step: Step, details: Sequence[str]) -> None:
        """See Watcher."""

    def traffic(self, load: Load) -> None:
        """See Watcher."""


class Plain(Quiet):
    """One line a step, as it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def ended(self, step: Step, details: Sequence[str]) -> None:
        """Print it."""
        self._console.print(*_lines(step, details), sep="\n")


class Shown(Quiet):
    """Steps that are done above; below them the present one, and the traffic, which change in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spinner = Spinner("dots")
        self._title, self._began = "", 0.0
        self._done, self._total, self._note = 0.0, None, ""
        self._load: Load | None = None

    def begins(self, title: str) -> None:
        """Draw it as the present step."""
        self._title, self._began = title, time.monotonic()
        self._done, self._total, self._note = 0.0, None, ""

    def goes(self, done: float, total: float | None, note: str = "") -> None:
        """Draw how far it is."""
        self._done, self._total, self._note = done, total, note  # type: ignore[assignment]

    def ended(self, step: Step, details: Sequence[str]) -> None:
        """Print it above what is drawn."""
        self._title = ""
        self._console.print(*_lines(step, details), sep="\n")

    def traffic(self, load: Load) -> None:
        """Draw how it fares."""
        self._load = load

    def __rich__(self) -> RenderableType:
        """What is drawn just now."""
        drawn: list[RenderableType] = []
        if self._title:
            drawn.append(self._present())
        if self._load is not None:
            drawn.append(_traffic_line(self._load))
        return Group(*drawn)

    def _present(self) -> Table:
        row = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=self._total, completed=self._done, width=30, pulse=self._total is None)
        counted = f"{self._done:,.0f}" + ("" if self._total is None else f" of {self._total:,.0f}")
        seconds = f"{time.monotonic() - self._began:.0f} s"
        row.add_row(self._spinner, self._title, bar, counted if self._done else "", self._note, seconds)
        return row


def _traffic_line(load: Load) -> str:
    problems = ", ".join(f"{count} {code}" for code, count in load.problems.items()) or "none refused"
    return (
        f"  [dim]families: {load.requests:,} requests, {problems}; "
        f"writes p50 {load.writes.p50:.0f} ms, p99 {load.writes.p99:.0f} ms, max {load.writes.max:.0f} ms[/]"
    )


def _lines(step: Step, details: Sequence[str]) -> list[str]:
    head = f"[green]✓[/] {step.title}: {escape(step.result)} [dim]({step.seconds:.1f} s)[/]"
    return [head, *(f"    [dim]{escape(detail)}[/]" for detail in details)]


@contextlib.contextmanager
def watcher(quiet: bool) -> Iterator[Shown | Plain | Quiet]:
    """Whoever shows a demonstration here."""
    console = out()
    if quiet:
        yield Quiet()
    elif not sys.stdout.isatty():
        yield Plain(console)
    else:
        shown = Shown(console)
        with Live(shown, console=console, refresh_per_second=8, transient=True):
            yield shown
