"""How a demonstration ends: the witness compares what was promised with what is there."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from mystira.demonstration.comparison import compare_copy, compare_truth, open_pairs
from mystira.demonstration.report import Settled
from mystira.demonstration.scene import KINDS, Result, Scene
from mystira.simulation.ledger import read_ledgers
from mystira.simulation.processes import TrafficProcesses
from mystira.simulation.reading import read_back
from mystira.simulation.witness import Evidence, Finding, Tally, conclude

_SHOWN: Final = 10
_REST_SECONDS: Final = 15.0
_LOOK_EVERY: Final = 0.05


async def settled(scene: Scene) -> tuple[Settled, ...]:
    """Where every kind comes to rest by itself: nobody does anything about it any more."""
    async with scene.step("every kind is in a clean phase") as result:
        until = time.monotonic() + _REST_SECONDS
        found = [await _settled(scene, kind) for kind in KINDS]
        while not all(each.is_clean for each in found) and time.monotonic() < until:
            await asyncio.sleep(_LOOK_EVERY)
            found = [await _settled(scene, kind) for kind in KINDS]
        result.phrase = ", ".join(f"{each.kind} {each.phase}" for each in found)
        result.details += [reason for each in found for reason in each.under_way]
    return tuple(found)


async def _settled(scene: Scene, kind: str) -> Settled:
    status = await scene.admin.move(kind)
    under_way = [f"{count} changes are {state}" for state, count in status["queue"].items() if count]
    if status["drainingTo"] is not None:
        under_way.append(f"its writes are held up for {status['drainingTo']}")
    if status["task"] is not None and status["task"]["state"] in ("requested", "running"):
        under_way.append(f"{status['task']['action']} is {status['task']['state']}")
    return Settled(kind=kind, phase=status["phase"], under_way=tuple(under_way))


async def compare(scene: Scene, traffic: TrafficProcesses) -> Tally:
    """Let the witness look at both kinds: through the App API, at the truth directly, and at the copy."""
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
        for found in tally.findings[:_SHOWN]
    ]
    return (
        f"{tally.records:,} records, {tally.acknowledged:,} acknowledged writes: "
        f"{tally.lost} lost, {tally.divergent} divergent"
    )
