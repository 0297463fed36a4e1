"""Where a command's words go: the answer to standard output, progress and notes to standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import msgspec
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

_PLAIN_EVERY: Final = 2.0
"""Seconds between two lines of progress where there is no terminal to draw bars on."""


def print_json(document: object) -> None:
    """One document, one line."""
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()


def answer(document: object, as_json: bool, *shown: RenderableType) -> None:
    """Answer a command: with the document, or with what a person is shown of it."""
    if as_json:
        print_json(document)
        return
    console = out()
    for renderable in shown:
        console.print(renderable)


def out() -> Console:
    """Standard output for text. Wide where it is no terminal, so that no table is cut for a file."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160, soft_wrap=False)


def notes() -> Console:
    """Standard error for text."""
    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 160)


class Bar(Protocol):
    """How far one piece of work has come."""

    def __call__(self, done: float, total: float | None, note: str = "") -> None:
        """Show it: `done` of `total` (None: not known yet)."""


@contextmanager
def bar(title: str, *, quiet: bool) -> Iterator[Bar]:
    """A progress bar on a terminal, a line now and then elsewhere, nothing where `quiet`."""
    if quiet:
        yield lambda done, total, note="": None
    elif sys.stderr.isatty():
        with _drawn_bar(title) as show:
            yield show
    else:
        yield _plain_lines(title, lambda line: print(line, file=sys.stderr, flush=True))


@contextmanager
def _drawn_bar(title: str) -> Iterator[Bar]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=notes(), transient=True) as progress:
        task = progress.add_task(title, total=None, note="")

        def show(done: float, total: float | None, note: str = "") -> None:
            progress.update(task, completed=done, total=total, note=note)

        yield show


def _plain_lines(title: str, write: Callable[[str], None]) -> Bar:
    said = float("-inf")

    def show(done: float, total: float | None, note: str = "") -> None:
        nonlocal said
        if time.monotonic() - said < _PLAIN_EVERY:
            return
        said = time.monotonic()
        of = "" if total is None else f" of {total:,.0f}"
        write(f"{title}: {done:,.0f}{of} {note}".rstrip())

    return show


def duration(seconds: float | None) -> str:
    """A duration for people."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
