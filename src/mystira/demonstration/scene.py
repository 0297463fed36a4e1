"""What the steps of a demonstration share: the platform, the traffic, the clients, and how steps are told."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from manystore.moves.tasks import Action, Task
from mystira.clients.admin import AdminClient
from mystira.clients.errors import ClientError
from mystira.clients.service import Service
from mystira.demonstration.report import Cut, Load, Step
from mystira.demonstration.stage import Stage
from mystira.simulation.families import ACCOUNTS
from mystira.simulation.ledger import Ledger

_AFTER_A_CUT: Final = 1.0
"""Seconds after a change of truth that still belong to it when people's pauses are measured."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be shown: how many former accounts, which share of them with a profile, how many pairs with
    one e-mail address, and how much traffic (requests a second) from how many processes.
    """

    folder: Path
    accounts: int = 20_000
    profiles_share: float = 0.1
    twins: int = 3
    rate: float = 180.0
    processes: int = 3
    seed: int = 1
    breath: float = 2.0
    """Seconds of traffic between two steps, for something to happen in."""


class StepFailedError(Exception):
    """Step "{title}" failed: {reason}."""

    def __init__(self, title: str, reason: str, conditions: Sequence[str] = ()) -> None:
        self.title, self.reason, self.conditions = title, reason, tuple(conditions)
        super().__init__(f'Step "{title}" failed: {reason}.')


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

    def __init__(self, wishes: Wishes, watcher: Watcher, stage: Stage, service: Service) -> None:
        self.wishes, self.watcher, self.stage, self.service = wishes, watcher, stage, service
        self.admin = AdminClient(service)
        self.steps: list[Step] = []
        self.cuts: list[Cut] = []
        self.lags: list[float] = []
        self.kills = 0
        self.certificate = ""

    def ledger(self, name: str) -> Ledger:
        """A ledger beside those of the traffic."""
        return Ledger(self.wishes.folder / "witness" / f"{name}.jsonl")

    @contextlib.asynccontextmanager
    async def step(self, title: str, *, seconds: float = 60.0) -> AsyncIterator[Result]:
        """A step that may take so long. Raises StepFailedError."""
        async with one_step(self.watcher, self.steps, title, seconds=seconds) as result:
            yield result

    async def take(self, title: str, action: Action, told: Callable[[Task], None] = lambda _: None) -> Task:
        """Take a step of the move, and wait until it has ended well. Raises StepFailedError."""

        def tell(task: Task) -> None:
            if (progress := task.progress) is not None:
                self.watcher.goes(progress.done, progress.total, f"{progress.rate:,.0f}/s")
            told(task)

        try:
            task = await self.admin.request(ACCOUNTS, action)
            ended = await self.admin.ended(task, tell, every=0.02)
        except ClientError as error:
            raise StepFailedError(title, str(error).rstrip("."), getattr(error, "reasons", ())) from error
        if ended.state != "done":
            raise StepFailedError(title, f"{action.value} ended as {ended.state}", ended.reasons)
        return ended

    async def cut(self, title: str, action: Action) -> Cut:
        """Change the truth, and note when. Raises StepFailedError."""
        began = time.monotonic()
        result = (await self.take(title, action)).result or {}
        if result.get("pause") is None:
            raise StepFailedError(title, "the truth had moved before")
        ended = time.monotonic() + _AFTER_A_CUT
        cut = Cut(step=title, pause=result["pause"], began=began, ended=ended)
        self.cuts.append(cut)
        await asyncio.sleep(_AFTER_A_CUT)
        return cut

    async def watch_lag(self) -> None:
        """Sample how far the copy is behind, until cancelled."""
        seen = 0
        while True:
            await asyncio.sleep(0.2)
            with contextlib.suppress(ClientError):
                kind = await self.admin.move(ACCOUNTS)
                lag = kind["lagSeconds"]
                if kind["following"] and lag["samples"] != seen:
                    seen = lag["samples"]
                    self.lags.append(lag["last"])


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
