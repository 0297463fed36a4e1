"""The script of a demonstration: which step follows which, with the traffic running beside them."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator

from mystira.clients.service import Service
from mystira.clients.service_tokens import ServiceCredentials
from mystira.demonstration import steps
from mystira.demonstration.beginning import seed, settle
from mystira.demonstration.deaths import open_deaths
from mystira.demonstration.ending import compare, settled
from mystira.demonstration.recovery import Recovered, recoveries_of
from mystira.demonstration.report import (
    Copied,
    Moved,
    Report,
    Settled,
    Step,
    failures_of,
    lag_of,
    load_of,
    pauses_of,
)
from mystira.demonstration.scene import KINDS, Scene, Watcher, Wishes, one_step
from mystira.demonstration.seeding import Seeds
from mystira.demonstration.stage import START_SECONDS, WORKER, stage
from mystira.simulation.families import ACCOUNTS, PROFILES
from mystira.simulation.processes import TrafficProcesses, share_out, traffic_processes
from mystira.simulation.witness import Tally

Copies = dict[str, Copied]


async def demonstrate(wishes: Wishes, watcher: Watcher) -> Report:
    """Play the whole script in a fresh data folder. Nothing of it runs any more when this returns.

    Raises StepFailedError for a step that was not done, StartError for a platform that does not start.
    """
    began = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        first: list[Step] = []
        async with one_step(watcher, first, "start a platform", seconds=START_SECONDS + 5) as result:
            settings = wishes.documents.settings
            playing = stage(wishes.folder, workers=wishes.workers, settings=settings)
            platform = await stack.enter_async_context(playing)
            roster = await platform.up()
            credentials = ServiceCredentials(platform.service_key)
            service = await stack.enter_async_context(Service.at(roster.address, credentials))
            deaths = await stack.enter_async_context(open_deaths(platform, wishes.victims, wishes.seed))
            result.phrase = f"{len(roster.processes)} processes, {roster.address}"
        scene = Scene(wishes, watcher, platform, service, deaths)
        scene.steps += first
        seeds = await seed(scene)
        async with _traffic(scene, seeds, roster.address) as traffic:
            copies = await _move(scene, seeds)
            restarts = await steps.await_workers(scene)
            async with scene.step("stop the traffic") as result:
                # Whoever recovered last still has to be seen to take a write.
                await asyncio.sleep(wishes.breath)
                await traffic.stop()
                result.phrase = f"{traffic.tally.requests:,} requests answered"
        await steps.verify_all(scene)
        phases = await settled(scene)
        tally = await compare(scene, traffic)
        return await asyncio.to_thread(
            _report, scene, seeds, traffic, copies, tally, phases, restarts, time.monotonic() - began
        )


async def _move(scene: Scene, seeds: Seeds) -> Copies:
    """There, back and there again, with everything on the way that must be refused."""
    await steps.plan(scene, ACCOUNTS, {"not unique": len(seeds.twins)})
    await steps.plan(scene, PROFILES, {"missing parent": len(seeds.orphans)})
    await settle(scene, seeds)
    await steps.plan_again(scene)
    await steps.refuse(scene, *steps.CHILD_FIRST)
    copies = await steps.copy_both(scene)
    if scene.wishes.whole:
        await steps.catch_up(scene)
    await steps.refuse(scene, *steps.UNPROVED)
    for kind in KINDS:
        await steps.verify(scene, kind)
    await steps.refuse(scene, *steps.CHILD_AHEAD)
    await steps.cut_over(scene)
    await steps.refuse(scene, *steps.PARENT_BACK)
    await steps.cut_back(scene)
    for kind in KINDS:
        await steps.verify(scene, kind, again=" again")
    await steps.cut_over(scene, again=" again")
    if scene.wishes.whole:
        await steps.finish_and_reopen(scene)
    return copies


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
    async with traffic_processes(folder, orders, service_key=scene.stage.service_key) as traffic:
        async with scene.step("let families in") as result:
            while traffic.tally.requests < wishes.rate * wishes.breath:  # noqa: ASYNC110  # other processes
                await asyncio.sleep(0.05)
            result.phrase = f"{wishes.rate:g} requests a second from {wishes.processes} processes"
        watching = [asyncio.create_task(scene.watch_lag(kind), name=f"lag of {kind}") for kind in KINDS]
        watching.append(asyncio.create_task(_watch_traffic(scene, traffic), name="traffic"))
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
    copies: Copies,
    tally: Tally,
    phases: tuple[Settled, ...],
    restarts: int,
    seconds: float,
) -> Report:
    hurt = {(death.kind, death.step) for death in scene.deaths.all if death.victim != WORKER}
    pauses, load = pauses_of(scene.cuts, traffic, hurt), load_of(traffic)
    recoveries = recoveries_of(scene.deaths.wounds, traffic.ledgers)
    recovered = Recovered.of(recoveries)
    return Report(
        seed=scene.wishes.seed,
        accounts=seeds.accounts,
        profiles=seeds.profiles,
        workers=scene.wishes.workers,
        witness=tally,
        pauses=pauses,
        kinds=tuple(_moved(scene, kind, copies[kind]) for kind in KINDS),
        refused=tuple(scene.refused),
        load=load,
        kills=len(scene.deaths.all),
        restarts=restarts,
        recovered=recovered,
        recoveries=recoveries,
        phases=phases,
        steps=tuple(scene.steps),
        seconds=round(seconds, 1),
        failures=failures_of(tally, pauses, load, recovered, phases),
    )


def _moved(scene: Scene, kind: str, copied: Copied) -> Moved:
    return Moved(
        kind=kind,
        copy=copied,
        lag=lag_of(scene.lags[kind]),
        killed_at=tuple(death.step for death in scene.deaths.all if death.kind == kind),
        certificate=scene.certificates[kind],
    )
