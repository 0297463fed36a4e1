"""What the steps of a demonstration share: the platform, the traffic, the clients, and how steps are told."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from manystore.moves.tasks import Action, Task
from mystira.clients.errors import ClientError, ProblemError
from mystira.clients.service import Service
from mystira.demonstration.asking import PatientAdmin
from mystira.demonstration.deaths import Deaths, Victims
from mystira.demonstration.report import Cut, Load, Refused, Step
from mystira.demonstration.seeding import EMBEDDED, Documents
from mystira.demonstration.stage import Stage
from mystira.simulation.families import ACCOUNTS, PROFILES
from mystira.simulation.ledger import Ledger

KINDS: Final = (ACCOUNTS, PROFILES)
"""In the order in which they move forward: a child is never further on than its parent."""
_AFTER_A_CUT: Final = 0.5
"""Seconds after a change of truth that still belong to it when people's pauses are measured."""
_LOOK_EVERY: Final = 0.05


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be shown: how many former accounts, which share of them with a profile, how many pairs with
    one e-mail address and profiles without their account, and how much traffic (requests a second) from how
    many processes, to a platform with how many workers; and who is killed at every step.

    With `whole` somebody is also killed while the copies catch up, and the moves are finished and reopened.
    """

    folder: Path
    accounts: int = 20_000
    profiles_share: float = 0.1
    twins: int = 3
    orphans: int = 3
    rate: float = 180.0
    processes: int = 3
    workers: int = 2
    seed: int = 1
    victims: Victims = "workers"
    breath: float = 0.5
    """Seconds of traffic after each change of truth, for something to happen in."""
    whole: bool = False
    documents: Documents = EMBEDDED
    """Where the records are that are to be moved."""


class StepFailedError(Exception):
    """Step "{title}" failed: {reason}."""

    def __init__(self, title: str, reason: str, conditions: Sequence[str] = ()) -> None:
        self.title, self.reason, self.conditions = title, reason, tuple(conditions)
        super().__init__(f'Step "{title}" failed: {reason}.')


class StepPutOffError(StepFailedError):
    """Step "{title}" failed: it was refused, for conditions that may yet be met."""


class Watcher(Protocol):
    """Whoever shows a demonstration to people."""

    def begins(self, title: str) -> None:
        """A step begins."""

    def goes(self, done: float, total: float | None, note: str = "") -> None:
        """How far the present step has come."""

    def ended(self, step: Step, details: Sequence[str]) -> None:
        """A step is done."""

    def traffic(self, load: Load) -> None:
        """How the traffic fares."""


class Result(msgspec.Struct):
    """What came of a step: one phrase, and lines of detail."""

    phrase: str = ""
    details: list[str] = msgspec.field(default_factory=list)


class Scene:
    """A platform that is up, and everything that is known of it so far."""

    def __init__(
        self, wishes: Wishes, watcher: Watcher, stage: Stage, service: Service, deaths: Deaths
    ) -> None:
        self.wishes, self.watcher, self.stage, self.service = wishes, watcher, stage, service
        self.admin = PatientAdmin(service)
        self.deaths = deaths
        self.steps: list[Step] = []
        self.cuts: list[Cut] = []
        self.refused: list[Refused] = []
        self.lags: defaultdict[str, list[float]] = defaultdict(list)
        self.certificates: dict[str, str] = {}

    def ledger(self, name: str) -> Ledger:
        """A ledger beside those of the traffic."""
        return Ledger(self.wishes.folder / "witness" / f"{name}.jsonl")

    @contextlib.asynccontextmanager
    async def step(self, title: str, *, seconds: float = 60.0) -> AsyncIterator[Result]:
        """A step that may take so long. Raises StepFailedError."""
        async with one_step(self.watcher, self.steps, title, seconds=seconds) as result:
            yield result

    async def take(self, title: str, kind: str, action: Action) -> Task:
        """Take a step of a move, and wait until it has ended well.

        Raises StepFailedError; of that, StepPutOffError where the worker that looked closely refused it.
        """

        def tell(task: Task) -> None:
            if (progress := task.progress) is not None:
                self.watcher.goes(progress.done, progress.total, f"{progress.rate:,.0f}/s")

        try:
            task = await self.admin.request(kind, action)
            ended = await self.admin.ended(task, tell, every=_LOOK_EVERY)
        except ClientError as error:
            raise StepFailedError(title, str(error).rstrip("."), getattr(error, "reasons", ())) from error
        if ended.state != "done":
            sort = StepPutOffError if ended.state == "refused" else StepFailedError
            raise sort(title, f"{action.value} of {kind} ended as {ended.state}", ended.reasons)
        return ended

    async def reasons(self, kind: str, action: Action) -> tuple[str, ...]:
        """Ask for a step that must not be taken; returns why it is refused, nothing where it was taken."""
        try:
            task = await self.admin.ended(await self.admin.request(kind, action), every=_LOOK_EVERY)
        except ProblemError as problem:
            # What can be seen at once is refused at once; the rest, by the worker that looks closely.
            return problem.reasons
        return task.reasons if task.state == "refused" else ()

    async def cut(self, kind: str, action: Action, step: str) -> Cut:
        """Change the truth, and note when. Raises as `take`."""
        epoch, began = (await self.admin.move(kind))["epoch"], time.monotonic()
        result = (await self.take(step, kind, action)).result or {}
        cut = Cut(
            kind=kind,
            step=step,
            pause=result["pause"],
            # To announce and to decide raises the epoch once each; one drain is decided, the others undone.
            drains=(result["epoch"] - epoch) // 2,
            began=began,
            ended=time.monotonic() + _AFTER_A_CUT,
        )
        self.cuts.append(cut)
        await asyncio.sleep(_AFTER_A_CUT)
        return cut

    async def watch_lag(self, kind: str) -> None:
        """Sample how far the copy of a kind is behind, until cancelled."""
        seen = 0
        while True:
            await asyncio.sleep(0.25)
            with contextlib.suppress(ClientError):
                status = await self.admin.move(kind)
                lag = status["lagSeconds"]
                if status["following"] and lag["samples"] != seen:
                    seen = lag["samples"]
                    self.lags[kind].append(lag["last"])


@contextlib.asynccontextmanager
async def one_step(
    watcher: Watcher, steps: list[Step], title: str, *, seconds: float
) -> AsyncIterator[Result]:
    """Tell of a step, and bound it in time. Raises StepFailedError."""
    watcher.begins(title)
    began, result = time.monotonic(), Result()
    try:
        async with asyncio.timeout(seconds):
            yield result
    except TimeoutError:
        raise StepFailedError(title, f"it was not done within {seconds:.0f} s") from None
    step = Step(title=title, result=result.phrase, seconds=round(time.monotonic() - began, 3))
    steps.append(step)
    watcher.ended(step, result.details)
