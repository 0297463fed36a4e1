"""Logs of real stores are cut where all have read them, and who rested beyond that is copied anew."""

import datetime as dt

import msgspec

from manystore.moves.retention import Retention
from manystore.moves.tasks import Action
from manystore.placement import Phase
from manystore.testing.contract.terms import read_log
from manystore.testing.samples import PEOPLE
from tests.acceptance.test_moves import database, scene, server
from tests.unit.clocks import ManualClock
from tests.unit.moving import Scene, adopt, person

__all__ = ["database", "scene", "server"]

WEEK = dt.timedelta(days=7)


async def write(scene: Scene, times: int) -> None:
    people = scene.repository()
    for number in range(times):
        stored = await people.get(person(number % 5).id)
        assert stored is not None
        await people.change(stored, msgspec.structs.replace(stored.value, visits=stored.value.visits + 1))


async def test_a_slow_follower_s_entries_stay_and_a_resting_store_is_copied_anew(scene: Scene) -> None:
    """PostgreSQL is the truth: what its copy has not read stays for as long as it follows, and no longer."""
    clock = ManualClock()
    kept = Retention([scene.people], scene.folder, owner="w", clock=clock, keep=WEEK)
    await adopt(scene.source, 5)
    await scene.do(Action.START)
    for action in (Action.VERIFY, Action.CUT_OVER):
        await scene.do(action)
    await write(scene, 6)
    await scene.do(Action.VERIFY)
    await write(scene, 9)
    await kept.cut(scene.people)
    clock.advance(8 * 86_400)
    assert await kept.cut(scene.people) >= 6
    track = await scene.track()
    unread, _ = await read_log(scene.target, PEOPLE, await track.position())
    assert len(unread) == 9
    await track.reach(await scene.target.head(PEOPLE))
    found = await scene.do(Action.VERIFY)
    assert (found["differences"], found["certificate"] is None) == (0, False)
    await scene.do(Action.FINISH)
    await write(scene, 7)
    assert await kept.cut(scene.people) == 9
    for days in (1, 8):
        clock.advance(days * 86_400)
        cut = await kept.cut(scene.people)
    assert cut == 6
    reopened = await scene.do(Action.REOPEN)
    assert (reopened["phase"], reopened["records"]) == (Phase.DUAL_WRITE_TARGET_READ.value, 5)
    found = await scene.do(Action.VERIFY)
    assert (found["differences"], found["certificate"] is None) == (0, False)
