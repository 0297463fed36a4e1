"""Connections to PostgreSQL that are cut, or swallow what is sent, in the midst of moves: nothing is lost."""

import asyncio
import time
from pathlib import Path

import asyncpg
import pytest

from manystore.errors import UnavailableError
from manystore.moves.tasks import Action
from manystore.testing.samples import PEOPLE
from tests.faults.network import (
    TIMEOUT,
    black_holes,
    cut_at_moments,
    cut_at_random,
    networked,
    striking,
    told,
)
from tests.faults.ordeal import there_and_back
from tests.unit.moving import person

pytestmark = pytest.mark.slow


async def test_connections_cut_at_random_lose_nothing(tmp_path: Path, postgres_url: str) -> None:
    """Every connection is reset several times a second; the move gets there and back by itself."""
    verdict = await cut_at_random(tmp_path, postgres_url, records=1000, every=0.15)
    assert verdict.holds, told(verdict)


async def test_connections_cut_at_chosen_moments_lose_nothing(tmp_path: Path, postgres_url: str) -> None:
    """In COPY, around a commit, a write, a fence: what had an unknown outcome is done once or not."""
    verdict = await cut_at_moments(tmp_path, postgres_url, records=1000)
    assert verdict.holds, told(verdict)
    assert verdict.unclear > 0, "no write had an unknown outcome, so nothing was shown of one"


async def test_black_holes_lose_nothing(tmp_path: Path, postgres_url: str) -> None:
    """Nothing arrives and nobody is told: each write is answered all the same, if only by a refusal."""
    verdict = await black_holes(tmp_path, postgres_url, records=300, count=2, seconds=1.3)
    assert verdict.holds, told(verdict)
    assert verdict.slowest < 30 * TIMEOUT


async def test_a_statement_that_nobody_answers_ends_with_a_typed_error(
    tmp_path: Path, postgres_url: str
) -> None:
    """Within its time, on a line that was sound before, and on the next one; a longer time is waited for."""
    async with networked(tmp_path, postgres_url, timeout=0.3) as ordeal:
        assert await ordeal.target.get(PEOPLE, person(1).id) is None
        ordeal.proxy.is_hole = True
        for _ in range(2):
            with pytest.raises(UnavailableError, match="did not answer in time"):
                await ordeal.target.get(PEOPLE, person(1).id)
        ordeal.proxy.is_hole = False
        assert await ordeal.target.get(PEOPLE, person(1).id) is None
    async with networked(tmp_path, postgres_url, timeout=60.0) as ordeal:
        ordeal.proxy.is_hole = True
        asking = asyncio.create_task(ordeal.target.get(PEOPLE, person(1).id))
        # What ends the statements above is their limit, and not the line.
        done, _ = await asyncio.wait([asking], timeout=1.0)
        assert not done
        ordeal.proxy.is_hole = False
        assert await asking is None


async def test_one_silent_line_costs_one_time_out(tmp_path: Path, postgres_url: str) -> None:
    """The idle connections lead to the same hole, so they are not tried one after the other."""
    async with networked(tmp_path, postgres_url, timeout=0.5) as ordeal:
        await asyncio.gather(*(ordeal.target.get(PEOPLE, person(each).id) for each in range(8)))
        ordeal.proxy.is_hole = True
        with pytest.raises(UnavailableError):
            await ordeal.target.get(PEOPLE, person(1).id)
        ordeal.proxy.is_hole = False
        # Cut off for good, as by a firewall that has forgotten them.
        ordeal.proxy.cut()
        began = time.monotonic()
        for each in range(8):
            await ordeal.target.get(PEOPLE, person(each).id)
        assert time.monotonic() - began < 20.0


async def test_what_is_lost_or_differs_is_seen(tmp_path: Path, postgres_url: str) -> None:
    """Planted: an acknowledged record taken from both stores, and another one from the copy alone."""
    async with networked(tmp_path, postgres_url) as ordeal:
        await ordeal.adopt(10)
        async with ordeal.working():
            async with ordeal.used(1):
                async with striking(ordeal.proxy, [("manystore.notes", "after")]):
                    await there_and_back(ordeal, (Action.START, Action.VERIFY))
                while not (living := [key for key, value in ordeal.users[0].seen.items() if value]):
                    await asyncio.sleep(0.01)
            assert (await ordeal.judge()).holds
        lost, missing = living[0], person(3).id
        await _take_away(ordeal.url, [lost, missing])
        truth = await ordeal.source.get(PEOPLE, lost)
        assert truth is not None
        state = await ordeal.steady()
        await ordeal.source.delete(PEOPLE, lost, expected=truth.version, epoch=state.epoch)
        verdict = await ordeal.judge()
    assert not verdict.holds
    assert (verdict.lost, missing in verdict.divergent) == ([lost], True)


async def _take_away(url: str, keys: list[str]) -> None:
    owner = await asyncpg.connect(url)
    try:
        await owner.execute("set session_replication_role = replica")
        await owner.execute("delete from people where id = any($1::uuid[])", keys)
    finally:
        await owner.close()
