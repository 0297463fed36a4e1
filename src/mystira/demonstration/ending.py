"""How a demonstration ends: the witness compares what was promised with what is there."""

import asyncio
from collections.abc import Callable
from typing import Final

from mystira.demonstration.comparison import compare_copy, compare_truth, open_pairs
from mystira.demonstration.scene import Result, Scene
from mystira.simulation.ledger import read_ledgers
from mystira.simulation.processes import TrafficProcesses
from mystira.simulation.reading import read_back
from mystira.simulation.witness import Evidence, Finding, Tally, conclude

_SHOWN: Final = 10


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
