"""The steps of a move as a demonstration takes them, each a function of the scene."""

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from manystore.moves.actions import side_by_side
from manystore.moves.tasks import Action, Task
from mystira.demonstration.deaths import amid_records
from mystira.demonstration.recovery import Sight
from mystira.demonstration.report import Copied, Cut, Refused
from mystira.demonstration.scene import KINDS, Scene, StepFailedError, StepPutOffError
from mystira.demonstration.stage import WORKER
from mystira.simulation.families import ACCOUNTS, PROFILES

_COPY_SECONDS: Final = 120.0
_QUEUE_SECONDS: Final = 30.0
_MOST_TRIES: Final = 5
_REFUSED_PAUSE: Final = 1.0


async def plan(scene: Scene, kind: str, expected: Mapping[str, int]) -> None:
    """Look for what cannot be moved, and find exactly so many of each problem; a worker dies over it."""
    title = f"plan {kind}"
    async with scene.step(title) as result:
        await scene.deaths.healed()
        async with scene.deaths.during(kind, "plan"):
            task = await scene.take(title, kind, Action.PLAN)
        plan = task.result or {}
        result.phrase = f"{plan['records']:,} records read, {_outcome(plan)}{_loss(scene, task, 'plan')}"
        result.details += [line for finding in plan["findings"] for line in _finding_lines(finding)]
        found = {finding["problem"]: finding["count"] for finding in plan["findings"]}
        wanted = {problem: count for problem, count in expected.items() if count}
        if found != wanted:
            raise StepFailedError(title, f"{wanted} was to be found, and nothing else", result.details)


async def plan_again(scene: Scene) -> None:
    """Both kinds at once, with nothing in the way any more."""
    title = "plan both again"
    async with scene.step(title) as result:
        tasks = await side_by_side(len(KINDS), lambda n: scene.take(title, KINDS[n], Action.PLAN))
        for task in tasks:
            plan = task.result or {}
            if not plan["isClear"]:
                lines = [line for finding in plan["findings"] for line in _finding_lines(finding)]
                raise StepFailedError(title, f"{task.kind} is not clear", lines)
        result.phrase = "nothing in the way"


def _outcome(plan: dict[str, Any]) -> str:
    return "nothing in the way" if plan["isClear"] else "not clear"


def _finding_lines(finding: dict[str, Any]) -> list[str]:
    head = f"{finding['problem']}: {finding['count']} × {finding['field']}; {finding['remedy']}"
    return [head, *(f"  {sample}" for sample in finding["samples"][:3])]


def _loss(scene: Scene, task: Task, step: str) -> str:
    """What a death led to, as the end of a phrase."""
    death = scene.deaths.of(task.kind, step)
    if death is None:
        return ""
    if death.victim != WORKER:
        return f"; {death.victim} killed"
    return f"; its worker killed, done by another ({task.attempts} attempts)"


async def refuse(scene: Scene, kind: str, action: Action, why: str) -> None:
    """Ask for a step that must not be taken, and show the reasons that are given."""
    title = f"refused, as it must be: {why}"
    async with scene.step(title) as result:
        reasons = await scene.reasons(kind, action)
        if not reasons:
            raise StepFailedError(title, f"{action.value} of {kind} was not refused")
        result.phrase = f"{action.value} of {kind}"
        result.details += reasons
        scene.refused.append(Refused(kind=kind, step=action.value, why=why, reasons=reasons))


async def copy_both(scene: Scene) -> dict[str, Copied]:
    """Copy both kinds at once, each of which loses a worker in its middle: others go on where it stopped."""
    title = "copy both at once"
    async with scene.step(title, seconds=_COPY_SECONDS) as result:
        await scene.deaths.healed()
        copies = await side_by_side(len(KINDS), lambda n: _copy(scene, title, KINDS[n]))
        for kind in KINDS:
            await _catch_up(scene, title, kind)
        copied = dict(zip(KINDS, copies, strict=True))
        result.phrase = ", ".join(f"{each.records:,} {kind}" for kind, each in copied.items())
        for kind, each in copied.items():
            death = scene.deaths.of(kind, "copy")
            how = "" if death is None else f"; {death.victim} killed at {death.done:,}"
            waited = f"; {each.queued:,} waited for their parents" if each.queued else ""
            result.details.append(f"{kind}: {each.seconds:.1f} s{how}{waited}")
    return copied


async def _copy(scene: Scene, title: str, kind: str) -> Copied:
    if kind != ACCOUNTS:
        # A child follows its parent into the phase at once, not only when the parent's copy is complete.
        while (await scene.admin.move(ACCOUNTS))["phase"] == "CosmosOnly":  # noqa: ASYNC110  # a service says so
            await asyncio.sleep(0.02)
    began = time.monotonic()
    async with scene.deaths.during(kind, "copy", amid_records):
        task = await scene.take(title, kind, Action.START)
    copied = task.result or {}
    if copied["refused"] and kind == ACCOUNTS:
        raise StepFailedError(title, f"{copied['refused']} were refused")
    return Copied(
        records=copied["records"],
        seconds=round(time.monotonic() - began, 2),
        rate=copied["rate"],
        queued=copied["refused"],
    )


async def _catch_up(scene: Scene, title: str, kind: str) -> None:
    """Wait until all workers are back, and every child that came before its parent has followed it."""
    await scene.deaths.healed()
    try:
        async with asyncio.timeout(_QUEUE_SECONDS):
            while any((counts := (await scene.admin.move(kind))["queue"]).values()):
                if counts["dead"]:
                    raise StepFailedError(title, f"{counts['dead']} changes of {kind} are dead")
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise StepFailedError(title, f"changes were still queued after {_QUEUE_SECONDS:.0f} s") from None


async def verify(scene: Scene, kind: str, *, again: str = "") -> None:
    """Compare every record of both stores, and get a certificate for it; a worker dies over it."""
    title, step = f"verify {kind}{again}", f"verify{again}"
    async with scene.step(title) as result:
        async with scene.deaths.during(kind, step):
            task, tries = await _verified(scene, title, kind)
        compared = (task.result or {})["compared"]
        result.phrase = f"{compared:,} records agree{_loss(scene, task, step)}"
        if tries > 1:
            result.phrase += f"; at try {tries}, since children still waited for parents"
        result.details.append(f"certificate {scene.certificates[kind]}")


async def _verified(scene: Scene, title: str, kind: str) -> tuple[Task, int]:
    """A verification that found all to agree, and which one that was.

    Where the parents' follower died, children wait for as long as it takes to be replaced. Until they have
    followed there is no certificate, and a person would ask again.
    """
    for number in range(1, _MOST_TRIES + 1):
        await _catch_up(scene, title, kind)
        task = await scene.take(title, kind, Action.VERIFY)
        found = task.result or {}
        if found["certificate"] is not None:
            scene.certificates[kind] = found["certificate"]
            return task, number
        if not found["queued"]:
            break
    reason = f"{kind} has {found['differences']} differences, {found['queued']} queued"
    raise StepFailedError(title, reason, found["samples"])


async def verify_all(scene: Scene) -> None:
    """Compare everything once more, both kinds at once, with every worker at work."""
    title = "verify both once more"
    async with scene.step(title) as result:
        verified = await side_by_side(len(KINDS), lambda n: _verified(scene, title, KINDS[n]))
        result.phrase = f"{sum((task.result or {})['compared'] for task, _ in verified):,} records agree"
        result.details += [f"certificate {scene.certificates[kind]}" for kind in KINDS]


async def cut_over(scene: Scene, *, again: str = "") -> None:
    """Make PostgreSQL the truth of both kinds while everybody goes on: parents before children."""
    for kind in KINDS:
        await _cut(scene, kind, Action.CUT_OVER, f"cut over{again}")


async def cut_back(scene: Scene) -> None:
    """Make the documents the truth again: children before parents."""
    for kind in reversed(KINDS):
        await _cut(scene, kind, Action.CUT_BACK, "cut back")


async def _cut(scene: Scene, kind: str, action: Action, step: str) -> None:
    """Change the truth, let its worker die over it, and let some time pass."""
    title = f"{step} {kind}"
    async with scene.step(title) as result:
        await _catch_up(scene, title, kind)
        async with scene.deaths.during(kind, step):
            done = await _cut_when_allowed(scene, kind, action, step)
        waited = (
            "it died after the change" if done.pause is None else f"writes waited {done.pause * 1000:.0f} ms"
        )
        death = scene.deaths.of(kind, step)
        result.phrase = waited if death is None else f"{death.victim} killed; {waited}"
        if done.drains > 1:
            result.phrase += ", after another one had undone what the dead had announced"
        await asyncio.sleep(scene.wishes.breath)


async def _cut_when_allowed(scene: Scene, kind: str, action: Action, step: str) -> Cut:
    """Ask again after a refusal, as a person would: a copy may be too far behind just after a death."""
    for _ in range(_MOST_TRIES - 1):
        try:
            return await scene.cut(kind, action, step)
        except StepPutOffError:
            await asyncio.sleep(_REFUSED_PAUSE)
    return await scene.cut(kind, action, step)


async def catch_up(scene: Scene) -> None:
    """Let somebody die while the copies follow what people write, and wait until they have caught up."""
    for kind in KINDS:
        title = f"catch up {kind}"
        async with scene.step(title) as result:
            await scene.deaths.healed()
            await scene.deaths.amid(kind, "catch up", partial(_see_lag, scene, kind))
            await _catch_up(scene, title, kind)
            await scene.deaths.gone_on()
            death = scene.deaths.of(kind, "catch up")
            result.phrase = "nothing waits" + ("" if death is None else f"; {death.victim} killed")


async def _see_lag(scene: Scene, kind: str) -> Sight:
    """Whoever follows writes down now and then how far behind the copy is."""
    lag = (await scene.admin.move(kind))["lagSeconds"]
    return Sight((lag["samples"], lag["last"]))


async def finish_and_reopen(scene: Scene) -> None:
    """Let the documents rest, parents first, and have them follow again, children first."""
    for kind in KINDS:
        title = f"finish {kind}"
        async with scene.step(title) as result:
            await _verified(scene, title, kind)
            async with scene.deaths.during(kind, "finish"):
                task = await scene.take(title, kind, Action.FINISH)
            archived = (task.result or {})["records"]
            result.phrase = f"{archived:,} records archived{_loss(scene, task, 'finish')}"
    for kind in reversed(KINDS):
        title = f"reopen {kind}"
        async with scene.step(title) as result:
            await scene.deaths.healed()
            async with scene.deaths.during(kind, "reopen"):
                task = await scene.take(title, kind, Action.REOPEN)
            await _catch_up(scene, title, kind)
            # None where the one who copied died once all was done: it is not done again.
            copied = (task.result or {}).get("records", 0)
            result.phrase = f"{copied:,} records copied back{_loss(scene, task, 'reopen')}"


async def await_workers(scene: Scene) -> int:
    """Wait until every killed process is back, and say how often they were started again."""
    async with scene.step("all processes are back", seconds=_QUEUE_SECONDS) as result:
        await scene.deaths.gone_on()
        restarts = scene.deaths.restarts
        result.phrase = f"{len(scene.deaths.all)} killed, {restarts} started again"
    return restarts


CHILD_FIRST: Final = (PROFILES, Action.START, "a child before its parent")
UNPROVED: Final = (ACCOUNTS, Action.CUT_OVER, "a cut-over without a certificate")
CHILD_AHEAD: Final = (PROFILES, Action.CUT_OVER, "a child's truth before its parent's")
PARENT_BACK: Final = (ACCOUNTS, Action.CUT_BACK, "a parent back before its child")
