"""Moves whose line to PostgreSQL is cut, swallows what is sent, or is slow."""

import asyncio
import contextlib
import random
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg
import msgspec

from manystore.moves.tasks import Action, Task
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from tests.contract.postgres_tables import MAPPINGS, prepare
from tests.faults.moving import Watched, Workers, differing, over, reached, stage
from tests.faults.ordeal import LIMIT, Ordeal, Verdict, there_and_back
from tests.faults.postgres_listener import COPY_DATA, PostgresListener
from tests.faults.tcp_proxy import Blow, TcpProxy, tcp_proxy

TIMEOUT = 1.0
"""Seconds for a statement here; a store's own default is a minute."""

_RELENTS = 1.1

Moments = Sequence[tuple[str, Blow]]

IN_COPY: Moments = ((COPY_DATA, "before"), ("COMMIT", "before"), ("COMMIT", "after"))
"""Rows on their way, and the end of their transaction, of which one side or the other never hears."""
IN_CUT_OVER: Moments = (("raise_fence", "before"), ("raise_fence", "after"))
"""The fence that lets a truth go, or takes it up."""
IN_WRITES: Moments = (
    ("manystore.enter(", "before"),
    ("manystore.enter(", "after"),
    ("manystore.notes", "after"),
)
"""A write at the truth, and the engine's own notes."""


class Networked(Ordeal):
    """An ordeal whose target is reached by way of a proxy."""

    proxy: TcpProxy
    url: str
    """Of the target, past the proxy."""


@contextlib.asynccontextmanager
async def database(server_url: str) -> AsyncIterator[str]:
    """A database of its own with the sample tables."""
    name = f"ordeal_{uuid.uuid4().hex}"
    owner = await asyncpg.connect(server_url)
    try:
        await owner.execute(f'create database "{name}"')
        url = server_url.rpartition("/")[0] + f"/{name}"
        await prepare(url)
        yield url
        await owner.execute(f'drop database "{name}" with (force)')
    finally:
        await owner.close()


@contextlib.asynccontextmanager
async def networked(
    folder: Path, server_url: str, *, lease: float = 1.0, timeout: float = TIMEOUT
) -> AsyncIterator[Networked]:
    """Documents in SQLite, tables behind a proxy."""
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(database(server_url))
        proxy, by_way = await stack.enter_async_context(tcp_proxy(url, PostgresListener))
        source = SqliteStore(folder / "documents.sqlite")
        target = PostgresStore(by_way, MAPPINGS, timeout=timeout)
        for store in (source, target):
            stack.push_async_callback(store.close)
            await store.open()
        made = Networked(source, target, folder / "certificates", lease=lease)
        made.proxy, made.url = proxy, url
        yield made


async def cut_at_random(folder: Path, url: str, *, records: int, every: float, seed: int = 1) -> Verdict:
    """Every connection is reset again and again, at first so often that little comes over in between."""
    async with networked(folder, url) as ordeal:
        await ordeal.adopt(records)
        cutting = asyncio.create_task(_cut_on(ordeal.proxy, random.Random(seed), every))
        async with ordeal.working():
            async with ordeal.used():
                await there_and_back(ordeal)
            cutting.cancel()
            return await ordeal.judge()


async def _cut_on(proxy: TcpProxy, chance: random.Random, every: float) -> None:
    while True:
        await asyncio.sleep(chance.uniform(0.5, 1.5) * every)
        proxy.cut()
        # So that it ends on a busy machine, too, on which a connection that is new takes longer than that.
        every *= _RELENTS


async def cut_at_moments(folder: Path, url: str, *, records: int) -> Verdict:
    """A connection ends at each of the moments, each of which comes."""
    async with networked(folder, url) as ordeal:
        await ordeal.adopt(records)
        async with ordeal.working():
            async with ordeal.used():
                async with striking(ordeal.proxy, IN_COPY):
                    await there_and_back(ordeal, (Action.START, Action.VERIFY))
                async with striking(ordeal.proxy, IN_CUT_OVER):
                    await there_and_back(ordeal, (Action.CUT_OVER,))
                    async with striking(ordeal.proxy, IN_WRITES):
                        await there_and_back(ordeal, (Action.VERIFY,))
                    await there_and_back(ordeal, (Action.CUT_BACK,))
            return await ordeal.judge()


@contextlib.asynccontextmanager
async def striking(proxy: TcpProxy, moments: Moments) -> AsyncIterator[None]:
    """Strike at each of the moments, one after the other. Raises TimeoutError where one never comes."""
    task = asyncio.create_task(_strike_on(proxy, moments))
    try:
        yield
        await asyncio.wait_for(task, LIMIT)
    finally:
        task.cancel()
        proxy.plan = None


async def _strike_on(proxy: TcpProxy, moments: Moments) -> None:
    for wanted, blow in moments:
        await proxy.strike(wanted, blow).wait()


async def black_holes(
    folder: Path, url: str, *, records: int, count: int, seconds: float, seed: int = 1
) -> Verdict:
    """Now and then nothing arrives for a while; after that half the lines go on and half are found dead."""
    async with networked(folder, url) as ordeal:
        await ordeal.adopt(records)
        swallowing = asyncio.create_task(_swallow(ordeal.proxy, random.Random(seed), count, seconds))
        async with ordeal.working():
            async with ordeal.used():
                await there_and_back(ordeal)
                await swallowing
            return await ordeal.judge()


async def _swallow(proxy: TcpProxy, chance: random.Random, count: int, seconds: float) -> None:
    for number in range(count):
        await asyncio.sleep(chance.uniform(0.2, 0.6))
        proxy.is_hole = True
        await asyncio.sleep(seconds)
        if number % 2 == 0:
            proxy.cut()
        proxy.is_hole = False


async def slow_line(
    folder: Path, url: str, *, records: int, delay: float, rate: float, lease: float, pause: float
) -> Verdict:
    """The line is slow for the whole move there, and well on the way back."""
    async with networked(folder, url, lease=lease, timeout=60.0) as ordeal:
        await ordeal.adopt(records)
        ordeal.proxy.delay, ordeal.proxy.rate = delay, rate
        async with ordeal.working():
            async with ordeal.used(pause=pause):
                await there_and_back(ordeal, (Action.START, Action.VERIFY, Action.CUT_OVER), limit=5 * LIMIT)
                ordeal.proxy.delay, ordeal.proxy.rate = 0.0, float("inf")
                await there_and_back(ordeal, (Action.VERIFY, Action.CUT_BACK))
            return await ordeal.judge()


async def workers_cut_off(folder: Path, url: str, *, records: int, seconds: float) -> tuple[Task, list[str]]:
    """Two worker processes lose their lines amid a copy, then hear nothing for a while, twice.

    How the copy ended, and the keys under which the two stores differ. The workflow engine's own connections
    lead by way of the proxy as well.
    """
    async with stage(folder, url) as scene, tcp_proxy(scene.url) as (proxy, by_way):
        await scene.seed(records)
        scene.workers = workers = Workers(folder, by_way)
        try:
            await workers.start_two()
            await scene.ask(Action.START)
            watched = Watched()
            await scene.ended(watched, reached(records // 5))
            proxy.cut()
            for is_dead in (True, False):
                await asyncio.sleep(1.0)
                proxy.is_hole = True
                await asyncio.sleep(seconds)
                if is_dead:
                    proxy.cut()
                proxy.is_hole = False
            return await scene.ended(watched, over), await differing(scene)
        finally:
            await workers.end()


def told(verdict: Verdict) -> str:
    """A verdict in words, for whoever reads a failure."""
    return msgspec.json.format(msgspec.json.encode(verdict)).decode()
