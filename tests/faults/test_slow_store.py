"""A slow line to PostgreSQL: moves end, copies fall behind and catch up, writes wait within limits."""

import asyncio
from pathlib import Path

import pytest

from manystore.dual_write import DualWrite
from manystore.followers.runner import read_lag
from manystore.moves.tasks import Action
from manystore.testing.samples import PEOPLE
from tests.faults.network import networked, slow_line, told
from tests.faults.ordeal import LIMIT, there_and_back
from tests.unit.moving import person

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("delay", "rate"), [(0.01, 1e6), (0.0, 40e3)], ids=["20 ms", "40 kB a second"])
async def test_a_move_ends_over_a_slow_line(
    tmp_path: Path, postgres_url: str, delay: float, rate: float
) -> None:
    """There over the slow line and back over a good one."""
    verdict = await slow_line(
        tmp_path, postgres_url, records=30, delay=delay, rate=rate, lease=2.0, pause=0.25
    )
    assert verdict.holds, told(verdict)
    assert verdict.slowest < LIMIT / 2


async def test_a_copy_falls_behind_and_catches_up(tmp_path: Path, postgres_url: str) -> None:
    """While its line is slow the copy lags behind, and says by how much; on a good line it lags no more."""
    async with networked(tmp_path, postgres_url, lease=2.0, timeout=60.0) as ordeal:
        await ordeal.adopt(10)
        async with ordeal.working():
            await there_and_back(ordeal, (Action.START,))
            ordeal.proxy.delay = 0.05
            async with ordeal.used(pause=0.02), asyncio.timeout(LIMIT):
                while (slow := await read_lag(ordeal.target, PEOPLE.name)).last < 0.3:
                    await asyncio.sleep(0.05)
                ordeal.proxy.delay = 0.0
                while (fast := await read_lag(ordeal.target, PEOPLE.name)).last > slow.last / 3:
                    await asyncio.sleep(0.05)
            assert fast.samples > slow.samples
            verdict = await ordeal.judge()
    assert verdict.holds, told(verdict)


async def test_a_slow_copy_opens_the_breaker_and_a_quick_one_closes_it(
    tmp_path: Path, postgres_url: str
) -> None:
    """Inline copies that take too long are tried five times, then not at all, until a probe comes through."""
    config = DualWrite(secondary="inline", timeout=0.1, retries=0, breaker_seconds=0.5)
    async with networked(tmp_path, postgres_url, timeout=60.0) as ordeal:
        await ordeal.adopt(10)
        async with ordeal.working():
            await there_and_back(ordeal, (Action.START,))
            copying, people, leases = ordeal.copying(config)
            await people.create(person(100))
            assert (copying.counters.applied, copying.breaker.is_open) == (1, False)
            ordeal.proxy.is_hole = True
            for number in range(5):
                await people.create(person(101 + number))
            assert (copying.counters.failed, copying.breaker.is_open) == (5, True)
            await people.create(person(106))
            assert (copying.counters.failed, copying.counters.turned_away) == (5, 1)
            ordeal.proxy.is_hole = False
            async with asyncio.timeout(LIMIT):
                for number in range(107, 10_000):
                    await people.create(person(number))
                    if not copying.breaker.is_open:
                        break
                    await asyncio.sleep(0.05)
            assert copying.counters.applied >= 2
            ordeal.adopted |= {person(each).id for each in range(100, number + 1)}
            await leases.leave()
            verdict = await ordeal.judge()
    assert (verdict.divergent, verdict.strangers, verdict.queued) == ([], [], 0), told(verdict)
