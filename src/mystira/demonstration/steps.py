"""The steps of a demonstration, each a function of the scene."""

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Any, Final

from manystore.clock import SystemClock
from manystore.moves.tasks import Action, Task
from mystira.demonstration.comparison import compare_copy, compare_truth, open_pairs
from mystira.demonstration.report import Copied
from mystira.demonstration.scene import Result, Scene, StepFailedError
from mystira.demonstration.seeding import Seeds, seed_documents
from mystira.simulation.families import Family, change
from mystira.simulation.ledger import read_ledgers
from mystira.simulation.processes import TrafficProcesses
from mystira.simulation.reading import read_back
from mystira.simulation.requests import Requester
from mystira.simulation.witness import Evidence, Finding, Tally, conclude

_FORMER: Final = 300
"""Former accounts that take part in the traffic."""
_RESTART_SECONDS: Final = 20.0


async def seed(scene: Scene) -> Seeds:
    """Fill the document store with what a former system left."""
    wishes = scene.wishes
    async with scene.step("seed former accounts") as result:
        with scene.ledger("seeds") as ledger:
            seeds = await seed_documents(
                scene.stage.settings,
                ledger,
                seed=wishes.seed,
                accounts=wishes.accounts,
                profiles_share=wishes.profiles_share,
                twins=wishes.twins,
                others=min(_FORMER, wishes.accounts // 4),
                tell=lambda done: scene.watcher.goes(done, wishes.accounts),
            )
        result.phrase = (
            f"{seeds.accounts:,} accounts and {seeds.profiles:,} profiles, version 0, "
            f"{len(seeds.twins)} pairs with one e-mail address"
        )
    return seeds


async def plan(scene: Scene, title: str, *, twins: int) -> None:
    """Look for what cannot be moved, and find exactly the pairs that are left."""
    async with scene.step(title) as result:
        plan = (await scene.take(title, Action.PLAN)).result or {}
        result.phrase = f"{plan['records']:,} records read, "
        result.phrase += "nothing in the way" if plan["isClear"] else "not clear"
        result.details += [line for finding in plan["findings"] for line in _finding_lines(finding)]
        found = sum(finding["count"] for finding in plan["findings"] if finding["problem"] == "not unique")
        others = [finding for finding in plan["findings"] if finding["problem"] != "not unique"]
        if found != twins or others:
            raise StepFailedError(title, f"{twins} pairs were to be found, and nothing else", result.details)


def _finding_lines(finding: dict[str, Any]) -> list[str]:
    head = f"{finding['problem']}: {finding['count']} × {finding['field']}; {finding['remedy']}"
    return [head, *(f"  {sample}" for sample in finding["samples"][:3])]


async def settle_twins(scene: Scene, seeds: Seeds) -> None:
    """Ask one of each pair for another e-mail address, as a person would: through the App API."""
    title = "settle the pairs through the App API"
    async with scene.step(title) as result:
        with scene.ledger("settled") as ledger:
            requester = Requester(scene.service, ledger, SystemClock())
            for number, keys in enumerate(seeds.twins):
                for key in keys[1:]:
                    await _settle(requester, key, f"settled.{number}.{key[:8]}@families.example", title)
        result.phrase = f"{len(seeds.twins)} e-mail addresses changed"


async def _settle(requester: Requester, key: str, email: str, title: str) -> None:
    family = Family(0, "settling", Random(0), former=key)  # noqa: S311
    await requester.carry_out(family, family.next_intent(), time.monotonic())
    if family.account is None:
        raise StepFailedError(title, f"account {key} could not be read")
    intent = change("change e-mail", family.account, {"email": email})
    experience = await requester.carry_out(family, intent, time.monotonic())
    if experience.problem:
        raise StepFailedError(title, f"account {key} could not be changed ({experience.problem})")


async def copy_through_a_kill(scene: Scene) -> Copied:
    """Copy everything, and kill the worker in the middle: another one goes on where it stopped."""
    title = "copy, killing the worker in the middle"
    killed_at: int | None = None

    def kill_in_the_middle(task: Task) -> None:
        nonlocal killed_at
        progress = task.progress
        if killed_at is None and task.state == "running" and progress is not None and progress.done:
            scene.stage.kill("worker")
            scene.kills += 1
            killed_at = progress.done

    async with scene.step(title) as result:
        began = time.monotonic()
        task = await scene.take(title, Action.START, kill_in_the_middle)
        seconds, copied = time.monotonic() - began, task.result or {}
        if copied["refused"] or copied["queued"]:
            raise StepFailedError(title, f"{copied['refused']} were refused, {copied['queued']} are queued")
        how = "over before it could be killed" if killed_at is None else f"worker killed at {killed_at:,}"
        result.phrase = f"{copied['records']:,} records, {how}; {task.attempts} attempts"
    return Copied(
        records=copied["records"], killed_at=killed_at, seconds=round(seconds, 2), rate=copied["rate"]
    )


async def verify(scene: Scene, title: str) -> None:
    """Compare every record of both stores, and get a certificate for it."""
    async with scene.step(title) as result:

        def kill_if_not_yet(task: Task) -> None:
            # A copy of few records may end before it can be killed in its middle; then it is this one's turn.
            if not scene.kills and task.state == "running":
                scene.stage.kill("worker")
                scene.kills += 1

        found = (await scene.take(title, Action.VERIFY, kill_if_not_yet)).result or {}
        if found["certificate"] is None:
            reason = f"{found['differences']} differences, {found['queued']} queued"
            raise StepFailedError(title, reason, found["samples"])
        scene.certificate = found["certificate"]
        result.phrase = f"{found['compared']:,} records agree"
        result.details.append(f"certificate {scene.certificate}")


async def cut(scene: Scene, title: str, action: Action) -> None:
    """Change the truth while everybody goes on, and let some time pass."""
    async with scene.step(title) as result:
        done = await scene.cut(title, action)
        result.phrase = f"writes waited {done.pause * 1000:.0f} ms"
        await asyncio.sleep(scene.wishes.breath)


async def await_restart(scene: Scene) -> int:
    """Wait until the killed worker is back, and say how often it was started again."""
    title = "the worker is back"
    async with scene.step(title, seconds=_RESTART_SECONDS) as result:
        while (restarts := scene.stage.restarts("worker")) < scene.kills:  # noqa: ASYNC110  # a file says so
            await asyncio.sleep(0.05)
        result.phrase = f"{scene.kills} kills, {restarts} restarts"
    return restarts


async def compare(scene: Scene, traffic: TrafficProcesses) -> Tally:
    """Let the witness look: through the App API, at the truth directly, and at the copy."""
    folder = scene.wishes.folder / "witness"
    ledgers = [folder / "seeds.jsonl", folder / "settled.jsonl", *traffic.ledgers]
    async with scene.step("the witness compares") as result:
        evidence = await asyncio.to_thread(lambda: Evidence(read_ledgers(ledgers)))
        touched = sorted(evidence.touched)
        findings: list[Finding] = await read_back(
            scene.service, evidence, touched, lambda done: scene.watcher.goes(done, len(touched), "App API")
        )
        async with open_pairs(scene.stage.settings) as pairs:
            for pair in pairs:
                findings += await compare_truth(pair, evidence, _goes(scene, "truth"))
                findings += await compare_copy(pair, _goes(scene, "copy"))
        tally = conclude(evidence, findings)
        result.phrase = _verdict(result, tally)
    return tally


def _goes(scene: Scene, where: str) -> Callable[[int], None]:
    return lambda done: scene.watcher.goes(done, None, where)


def _verdict(result: Result, tally: Tally) -> str:
    result.details += [
        f"{found.sort}: {found.kind}/{found.key} ({found.where}): {found.detail}"
        for found in tally.findings[:10]
    ]
    return (
        f"{tally.records:,} records, {tally.acknowledged:,} acknowledged writes: "
        f"{tally.lost} lost, {tally.divergent} divergent"
    )
