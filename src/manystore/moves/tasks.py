"""What a worker is to do for a kind: one durable task at a time, and what became of the last ones.

The task is a note of the kind's source store, changed by compare-and-set, so it survives whoever asked and
whoever works on it. Every action may be begun again from its start: copies go on from their checkpoints, a
verification looks again, and a cut-over sees whether it has happened.
"""

import datetime as dt
import enum
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from manystore.clock import Clock
from manystore.errors import StepRefusedError
from manystore.moves.progress import Progress
from manystore.placement import Placement


class Action(enum.Enum):
    """What can be asked for; the words of the commands."""

    PLAN = "plan"
    START = "start"
    VERIFY = "verify"
    REPAIR = "repair"
    CUT_OVER = "cut-over"
    CUT_BACK = "cut-back"
    RECHECK = "recheck"
    FINISH = "finish"
    REOPEN = "reopen"


Depth = Literal["full", "versions", "since"]
"""What a verification looks at: every byte, every key and version, or what changed since the certificate."""


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody answers for a step whose conditions are not met, and says why."""

    actor: str
    reason: str


TaskState = Literal["requested", "running", "done", "refused", "failed"]


class Task(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One request and how it fares. `result` is the action's own report; `reasons` say why it was refused.

    `worker` is who took it up last, of how many `attempts`. `depth` is told of a verification alone, and
    `reason` of what was asked for with one.
    """

    id: str
    kind: str
    action: Action
    state: TaskState
    actor: str
    requested_at: dt.datetime
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    attempts: int = 0
    worker: str | None = None
    progress: Progress | None = None
    override: Override | None = None
    depth: Depth | None = None
    reason: str | None = None
    result: dict[str, Any] | None = None
    reasons: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it still has to be done."""
        return self.state in ("requested", "running")


class TaskBoard:
    """The present task of one kind, and the last one of each action."""

    def __init__(self, placement: Placement, clock: Clock) -> None:
        self._store, self._clock = placement.source, clock
        self.kind = placement.kind.name
        self._name = f"moves/{self.kind}/task"

    async def task(self) -> Task | None:
        """The present or last task, if there ever was one."""
        return (await self._read())[0]

    async def last(self, action: Action) -> Task | None:
        """The last finished task of an action."""
        note = await self._store.note(f"moves/{self.kind}/last/{action.value}")
        return msgspec.json.decode(note.value, type=Task) if note.revision else None

    async def request(
        self,
        action: Action,
        *,
        task_id: str,
        actor: str,
        override: Override | None = None,
        depth: Depth | None = None,
        reason: str | None = None,
    ) -> Task:
        """Ask for an action. Raises StepRefusedError while another one is under way."""
        task = Task(
            id=task_id,
            kind=self.kind,
            action=action,
            state="requested",
            actor=actor,
            override=override,
            depth=depth,
            reason=reason,
            requested_at=self._clock.now(),
        )
        present, revision = await self._read()
        if present is not None and present.is_open:
            since = f"{present.requested_at:%H:%M:%S}"
            reason = f"{present.action.value} is {present.state}, asked for at {since}: wait for it."
            raise StepRefusedError(kind=self.kind, step=action.value, conditions=[reason])
        if not await self._store.write_note(self._name, msgspec.json.encode(task), expected=revision):
            reason = "Somebody else asked for something at the same moment: look at the status."
            raise StepRefusedError(kind=self.kind, step=action.value, conditions=[reason])
        return task

    async def update(self, task: Task) -> bool:
        """Replace the present task by a later state of the same one; False if it is another one by now."""
        return await self.amend(task.id, lambda _: task) is not None

    async def amend(self, task_id: str, change: Callable[[Task], Task]) -> Task | None:
        """Change the present task, and return it; None where it is over or another one by now."""
        while True:
            present, revision = await self._read()
            if present is None or present.id != task_id or not present.is_open:
                return None
            task = change(present)
            if await self._store.write_note(self._name, msgspec.json.encode(task), expected=revision):
                break
        if not task.is_open:
            name = f"moves/{self.kind}/last/{task.action.value}"
            note = await self._store.note(name)
            await self._store.write_note(name, msgspec.json.encode(task), expected=note.revision)
        return task

    async def _read(self) -> tuple[Task | None, int]:
        note = await self._store.note(self._name)
        return (msgspec.json.decode(note.value, type=Task) if note.revision else None), note.revision
