"""Where kinds stand, and the steps of their moves.

A step is only asked for here: a worker carries it out. What already speaks against it is told at once.
"""

import functools
from typing import Any, Final

from msgspec import Struct

from manystore.errors import StepRefusedError
from manystore.moves.conditions import absolute_reasons, overridable_reasons, valid_certificate
from manystore.moves.tasks import Action, Depth, Override, Task
from manystore.placement import Phase, State, read_state
from mystira.domain.ids import make_id
from mystira.http.callers import STAFF
from mystira.http.operations import Answer, Call, Operation, show
from mystira.http.problems import ProblemError
from mystira.http.queries import Nothing
from mystira.placement import PHASE_NAMES
from mystira.platform import KindStatus, Platform
from mystira.services.admin.people import Reason, actor_of

PREFIX: Final = "/admin/api"

_LEADS: Final[dict[Action, tuple[tuple[Phase, ...], Phase]]] = {
    Action.START: (
        (Phase.SOURCE_ONLY, Phase.DUAL_WRITE_SOURCE_READ),
        Phase.DUAL_WRITE_SOURCE_READ,
    ),
    Action.CUT_OVER: ((Phase.DUAL_WRITE_SOURCE_READ,), Phase.DUAL_WRITE_TARGET_READ),
    Action.CUT_BACK: ((Phase.DUAL_WRITE_TARGET_READ,), Phase.DUAL_WRITE_SOURCE_READ),
    Action.FINISH: ((Phase.DUAL_WRITE_TARGET_READ, Phase.TARGET_ONLY), Phase.TARGET_ONLY),
    Action.REOPEN: ((Phase.TARGET_ONLY,), Phase.DUAL_WRITE_TARGET_READ),
}
"""From which phases a step leads, and to which. Where it leads to the present one, it is only done again."""

_WORDS: Final = {
    Action.PLAN: ("planMove", "Find what the target would refuse, before anything is written"),
    Action.START: ("startMove", "Let the target follow, and copy what was there before"),
    Action.VERIFY: ("verifyMove", "Compare both stores; a certificate where all was compared, and agrees"),
    Action.REPAIR: ("repairMove", "Settle whatever the two stores disagree about"),
    Action.CUT_OVER: ("cutOver", "Make PostgreSQL the truth"),
    Action.CUT_BACK: ("cutBack", "Make the documents the truth again"),
    Action.RECHECK: ("recheckCertificate", "Compute the newest certificate's digests anew"),
    Action.FINISH: ("finishMove", "Let the documents rest after the soak, archived"),
    Action.REOPEN: ("reopenMove", "Let the documents follow again after a finish"),
}


class Moves(Struct, frozen=True, kw_only=True):
    """Where every kind stands; there are never more than fit on one page."""

    items: list[KindStatus]
    continuation: None = None


class Step(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """With an `override_reason` the step is taken although conditions that a person may answer for are unmet;
    who did so and why is written down.
    """

    override_reason: Reason | None = None


class Verification(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How deeply to compare: every byte (`full`, which alone gives a certificate), keys and `versions` alone,
    or what was touched `since` the certificate that holds now.
    """

    depth: Depth = "full"


class Repair(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why differences are to be settled without looking at each; it is written down."""

    reason: Reason


class MoveRoutes:
    """What each operation on moves does."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def read_all(self, call: Call[Nothing]) -> Answer:
        """Every kind."""
        return show(Moves(items=[await self._platform.status(kind) for kind in self._platform.family]))

    async def read(self, call: Call[Nothing]) -> Answer:
        """One kind."""
        return show(await self._platform.status(call.path["kind"]))

    async def task(self, call: Call[Nothing]) -> Answer:
        """The present or last task."""
        kind = call.path["kind"]
        task = await self._platform.board(kind).task()
        if task is None:
            raise ProblemError("not_found", f"No step of {kind} was ever asked for.")
        return show(task)

    async def step(self, action: Action, call: Call[Step]) -> Answer:
        """Ask for a step."""
        reason = call.sent.override_reason
        override = None if reason is None else Override(actor=actor_of(call), reason=reason)
        return await self._request(action, call, override=override)

    async def verify(self, call: Call[Verification]) -> Answer:
        """Ask for a comparison."""
        return await self._request(Action.VERIFY, call, depth=call.sent.depth)

    async def repair(self, call: Call[Repair]) -> Answer:
        """Ask for a repair."""
        return await self._request(Action.REPAIR, call, reason=call.sent.reason)

    async def _request(
        self,
        action: Action,
        call: Call[Any],
        *,
        override: Override | None = None,
        depth: Depth | None = None,
        reason: str | None = None,
    ) -> Answer:
        kind, actor = call.path["kind"], actor_of(call)
        board = self._platform.board(kind)
        present = await board.task()
        # While another task is open nothing else is worth saying, and the board itself says it.
        if present is None or not present.is_open:
            await self._demand(action, kind, depth, is_overridden=override is not None)
        task = await board.request(
            action, task_id=make_id(), actor=actor, override=override, depth=depth, reason=reason
        )
        return show(task, status=202, headers={"Location": f"{PREFIX}/moves/{kind}/task"})

    async def _demand(self, action: Action, kind: str, depth: Depth | None, *, is_overridden: bool) -> None:
        """Raise StepRefusedError for what is known to be unmet now; the worker looks again."""
        state = await read_state(self._platform.placement(kind))
        reasons = _misplaced(action, kind, state) or _missing_basis(
            self._platform, action, kind, state, depth
        )
        phase = _LEADS[action][1] if action in _LEADS else state.phase
        if not reasons and phase is not state.phase:
            reasons = await absolute_reasons(self._platform.family, kind, state, phase)
            if not reasons and not is_overridden:
                reasons = await self._overridable(kind, state, phase)
        if reasons:
            raise StepRefusedError(kind=kind, step=action.value, conditions=reasons)

    async def _overridable(self, kind: str, state: State, phase: Phase) -> list[str]:
        track = await self._platform.track(kind, state)
        return await overridable_reasons(track.placement, state, phase, track, self._platform.certificates)


def _misplaced(action: Action, kind: str, state: State) -> list[str]:
    """Why the step does not lead from where the kind is."""
    if action not in _LEADS or state.phase in _LEADS[action][0]:
        return []
    before = " or ".join(PHASE_NAMES[phase] for phase in _LEADS[action][0])
    return [f"{action.value} leads on from {before}, and {kind} is at {PHASE_NAMES[state.phase]}."]


def _missing_basis(
    platform: Platform, action: Action, kind: str, state: State, depth: Depth | None
) -> list[str]:
    """Why there is nothing that the action could look at."""
    if action in (Action.VERIFY, Action.REPAIR) and not state.phase.has_copy:
        phase = PHASE_NAMES[state.phase]
        return [f"At {phase} there is no copy to compare with: start the move first."]
    if action is Action.RECHECK or depth == "since":
        _, reason = valid_certificate(platform.certificates, platform.placement(kind), state)
        return [] if reason is None else [reason]
    return []


def move_operations(platform: Platform) -> tuple[Operation[Any], ...]:
    """What can be asked about moves."""
    routes = MoveRoutes(platform)
    reading = functools.partial(Operation, tag="moves", method="GET", takes=Nothing, allows=STAFF)
    return (
        reading(
            path="/moves",
            name="listMoves",
            summary="Where every kind stands",
            handle=routes.read_all,
            answers={200: Moves},
        ),
        reading(
            path="/moves/{kind}",
            name="getMove",
            summary="Where a kind stands",
            handle=routes.read,
            answers={200: KindStatus},
            refuses=("unknown_kind",),
        ),
        reading(
            path="/moves/{kind}/task",
            name="getTask",
            summary="The step under way, or the last one",
            handle=routes.task,
            answers={200: Task},
            refuses=("unknown_kind", "not_found"),
        ),
        *(_step(routes, action) for action in Action),
    )


def _step(routes: MoveRoutes, action: Action) -> Operation[Any]:
    name, summary = _WORDS[action]
    asking = functools.partial(
        Operation,
        method="POST",
        path=f"/moves/{{kind}}/{action.value}",
        name=name,
        summary=summary,
        description="Answers with the task that a worker takes up; ask for the task to see how it fares.",
        tag="moves",
        allows=STAFF,
        answers={202: Task},
        refuses=("unknown_kind", "step_refused"),
        names_actor=True,
    )
    if action is Action.REPAIR:
        example = {"reason": "Rows were lost by a script, see ticket 4711"}
        return asking(takes=Repair, handle=routes.repair, example=example)
    if action is Action.VERIFY:
        example = {"depth": "versions"}
        return asking(takes=Verification, handle=routes.verify, has_optional_body=True, example=example)
    handle = functools.partial(routes.step, action)
    return asking(takes=Step, handle=handle, has_optional_body=True, example={})
