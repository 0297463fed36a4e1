"""`mystira move`: the steps of a move, each asked of a worker and watched until it has ended."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final

from cyclopts import App, Parameter
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from manystore.moves.progress import Progress
from manystore.moves.tasks import Action, Depth, Task
from mystira.cli import exits
from mystira.cli.connection import admin_of
from mystira.cli.options import AsJson, DataFolder, KindName, Url
from mystira.cli.output import Bar, answer, bar, duration, notes
from mystira.cli.status import kinds_table
from mystira.clients.admin import AdminClient, Document

app: Final = App(name="move", help_format="plaintext")

OverrideReason = Annotated[
    str | None,
    Parameter(
        name="--override",
        help="A reason, written down with your name, to go on although a condition that a person may answer "
        "for is unmet.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class How:
    """The options that every step has."""

    no_wait: Annotated[
        bool,
        Parameter(name="--no-wait", negative=(), help="Only ask for it; see `mystira move status` later."),
    ] = False
    data_folder: DataFolder = None
    url: Url = None
    json: AsJson = False


_USUALLY: Final = How()


@app.command
async def status(
    kind: KindName | None = None, *, data_folder: DataFolder = None, url: Url = None, json: AsJson = False
) -> int:
    """Show where a kind stands, or every kind."""
    async with admin_of(url, data_folder) as admin:
        kinds = await admin.moves() if kind is None else [await admin.move(kind)]
    answer(kinds if kind is None else kinds[0], json, kinds_table(kinds))
    return exits.OK


@app.command
async def plan(kind: KindName, *, how: How = _USUALLY) -> int:
    """Find what could not be moved as it is, and how long reading takes. Writes nothing."""
    return await _take(Action.PLAN, kind, how)


@app.command
async def start(kind: KindName, *, override: OverrideReason = None, how: How = _USUALLY) -> int:
    """Let the other store follow, and copy everything that was there before."""
    return await _take(Action.START, kind, how, override)


@app.command
async def verify(
    kind: KindName,
    *,
    depth: Annotated[
        Depth,
        Parameter(
            help="full: every byte; versions: keys and versions, no content; since: what was "
            "touched since the certificate. Only full writes a certificate."
        ),
    ] = "full",
    how: How = _USUALLY,
) -> int:
    """Compare every record of both stores; where all agree, write a certificate."""
    return await _watch(Action.VERIFY, kind, how, lambda admin: admin.verify(kind, depth))


@app.command
async def repair(
    kind: KindName,
    *,
    reason: Annotated[str, Parameter(help="Why; it is kept with your name.")],
    how: How = _USUALLY,
) -> int:
    """Compare every record of both stores, and settle what differs. What is given up stays in the audit."""
    return await _watch(Action.REPAIR, kind, how, lambda admin: admin.repair(kind, reason))


@app.command
async def cut_over(kind: KindName, *, override: OverrideReason = None, how: How = _USUALLY) -> int:
    """Make PostgreSQL the truth. Refused without a valid certificate."""
    return await _take(Action.CUT_OVER, kind, how, override)


@app.command
async def cut_back(kind: KindName, *, override: OverrideReason = None, how: How = _USUALLY) -> int:
    """Make the documents the truth again."""
    return await _take(Action.CUT_BACK, kind, how, override)


@app.command
async def recheck(kind: KindName, *, how: How = _USUALLY) -> int:
    """Compute the newest certificate anew, and say whether it still holds."""
    return await _take(Action.RECHECK, kind, how)


@app.command
async def finish(kind: KindName, *, override: OverrideReason = None, how: How = _USUALLY) -> int:
    """Let the documents rest after the soak, archived."""
    return await _take(Action.FINISH, kind, how, override)


@app.command
async def reopen(kind: KindName, *, override: OverrideReason = None, how: How = _USUALLY) -> int:
    """Let the documents follow again after a finish."""
    return await _take(Action.REOPEN, kind, how, override)


async def _take(action: Action, kind: str, how: How, override: str | None = None) -> int:
    return await _watch(
        action, kind, how, lambda admin: admin.request(kind, action, override_reason=override)
    )


async def _watch(
    action: Action, kind: str, how: How, request: Callable[[AdminClient], Awaitable[Task]]
) -> int:
    async with admin_of(how.url, how.data_folder) as admin:
        task = await request(admin)
        if how.no_wait:
            answer(task, how.json, f"{action.value} of {kind} is asked for (task {task.id}).")
            return exits.OK
        try:
            with bar(f"{action.value} {kind}", quiet=how.json) as show:

                def told(task: Task) -> None:
                    show_progress(task.progress, show)

                task = await admin.ended(task, told)
        except BaseException:
            notes().print(f"{action.value} of {kind} goes on without this command: `mystira move status`.")
            raise
    answer(task, how.json, *describe(task))
    return exits.OK if is_yes(task) else exits.NO


def show_progress(progress: Progress | None, show: Bar) -> None:
    """Draw how far a task has come."""
    if progress is not None:
        left = "" if progress.seconds_left is None else f", {duration(progress.seconds_left)} left"
        note = f"{progress.rate:,.0f}/s{left}" if progress.rate else progress.stage
        show(progress.done, progress.total, note)


def is_yes(task: Task) -> bool:
    """Whether a task came to the end that one hopes for."""
    result = task.result or {}
    if task.state != "done":
        return False
    if task.action is Action.PLAN:
        return bool(result["isClear"])
    if task.action is Action.VERIFY:
        if result.get("depth", "full") != "full":
            return bool(result["differences"] == 0)
        return result["certificate"] is not None
    if task.action is Action.REPAIR:
        return bool(result["left"] == 0)
    return True


def describe(task: Task) -> list[RenderableType]:
    """What a person is shown of a task that has ended."""
    headline = Text(f"{task.action.value} of {task.kind}: {task.state}", style=_STYLES[task.state])
    shown: list[RenderableType] = [headline, *(f"  - {reason}" for reason in task.reasons)]
    if task.result is not None:
        shown.append(_facts(task.result))
        if findings := task.result.get("findings"):
            shown.append(_findings_table(findings))
    return shown


_STYLES: Final = {
    "done": "bold green",
    "refused": "bold red",
    "failed": "bold red",
    "requested": "",
    "running": "",
}


def _facts(result: Document) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, value in result.items():
        if name == "findings" or value is None or value == []:
            continue
        text = (
            "\n".join(map(str, value))
            if isinstance(value, list)
            else f"{value:,}"
            if _is_number(value)
            else str(value)
        )
        table.add_row(_words(name), text)
    return table


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _words(name: str) -> str:
    """`secondsToRead` as `seconds to read`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)


def _findings_table(findings: list[Document]) -> Table:
    table = Table("problem", "field", "count", "for example", "what to do")
    for finding in findings:
        samples = finding["samples"]
        more = f"\n… {finding['count'] - 3} more" if finding["count"] > 3 else ""
        table.add_row(
            finding["problem"],
            finding["field"],
            str(finding["count"]),
            "\n".join(samples[:3]) + more,
            finding["remedy"],
        )
    return table
