"""The script of a demonstration: which step follows which, with the traffic running beside them."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator

from manystore.moves.tasks import Action
from mystira.clients.service import Service
from mystira.demonstration import steps
from mystira.demonstration.report import Copied, Report, Step, failures_of, lag_of, load_of, pauses_of
from mystira.demonstration.scene import Scene, Watcher, Wishes, one_step
from mystira.demonstration.seeding import Seeds
from mystira.demonstration.stage import START_SECONDS, stage
from mystira.simulation.processes import TrafficProcesses, share_out, traffic_processes
from mystira.simulation.witness import Tally


async def demonstrate(wishes: Wishes, watcher: Watcher) -> Report:
    """Play the whole script in a fresh data folder. Nothing of it runs any more when this returns.

    Raises StepFailedError for a step that was not done, StartError for a platform that does not start.
    """
    began = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        first: list[Step] = []
        async with one_step(watcher, first, "start a platform", seconds=START_SECONDS + 5) as result:
            platform = await stack.enter_async_context(stage(wishes.folder))
            roster = await platform.up()
            service = await stack.enter_async_context(Service.at(roster.address))
            result.phrase = f"{len(roster.processes)} processes, {roster.address}"
        scene = Scene(wishes, watcher, platform, service)
        scene.steps += first
        seeds = await steps.seed(scene)
        async with _traffic(scene, seeds, roster.address) as traffic:
            copied = await _move(scene, seeds)
            async with scene.step("stop the traffic") as result:
                await traffic.stop()
                result.phrase = f"{traffic.tally.requests:,} requests answered"
        await steps.verify(scene, "verify all of it once more")
        restarts = await steps.await_restart(scene)
        tally = await steps.compare(scene, traffic)
        return await asyncio.to_thread(
            _report, scene, seeds, traffic, copied, tally, restarts, time.monotonic() - began
        )


async def _move(scene: Scene, seeds: Seeds) -> Copied:
    await steps.plan(scene, "plan the move", twins=len(seeds.twins))
    if seeds.twins:
        await steps.settle_twins(scene, seeds)
        await steps.plan(scene, "plan again", twins=0)
    copied = await steps.copy_through_a_kill(scene)
    await steps.verify(scene, "verify")
    await steps.cut(scene, "cut over", Action.CUT_OVER)
    await steps.cut(scene, "cut back", Action.CUT_BACK)
    await steps.verify(scene, "verify again")
    await steps.cut(scene, "cut over again", Action.CUT_OVER)
    return copied


@contextlib.asynccontextmanager
async def _traffic(scene: Scene, seeds: Seeds, url: str) -> AsyncIterator[TrafficProcesses]:
    """Traffic, and samples of how everybody fares, as long as the block runs."""
    wishes, folder = scene.wishes, scene.wishes.folder / "witness"
    orders = share_out(
        url=url,
        folder=folder,
        run=uuid.uuid4().hex[:8],
        rate=wishes.rate,
        seconds=0.0,
        processes=wishes.processes,
        seed=wishes.seed,
        former=seeds.others,
    )
    async with traffic_processes(folder, orders) as traffic:
        async with scene.step("let families in") as result:
            while traffic.tally.requests < wishes.rate * wishes.breath / 2:  # noqa: ASYNC110  # other processes
                await asyncio.sleep(0.05)
            result.phrase = f"{wishes.rate:g} requests a second from {wishes.processes} processes"
        watching = (
            asyncio.create_task(scene.watch_lag(), name="lag"),
            asyncio.create_task(_watch_traffic(scene, traffic), name="traffic"),
        )
        try:
            yield traffic
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)


async def _watch_traffic(scene: Scene, traffic: TrafficProcesses) -> None:
    while True:
        scene.watcher.traffic(load_of(traffic))
        await asyncio.sleep(0.25)


def _report(
    scene: Scene,
    seeds: Seeds,
    traffic: TrafficProcesses,
    copied: Copied,
    tally: Tally,
    restarts: int,
    seconds: float,
) -> Report:
    pauses, load = pauses_of(scene.cuts, traffic), load_of(traffic)
    return Report(
        seed=scene.wishes.seed,
        accounts=seeds.accounts,
        profiles=seeds.profiles,
        witness=tally,
        pauses=pauses,
        copy=copied,
        lag=lag_of(scene.lags),
        load=load,
        kills=scene.kills,
        restarts=restarts,
        certificate=scene.certificate,
        steps=tuple(scene.steps),
        seconds=round(seconds, 1),
        failures=failures_of(tally, pauses, load),
    )
