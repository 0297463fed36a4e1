"""Workers are killed in the midst of a repair: what they mended stays mended, the rest is mended after."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from manystore.followers.queue import Audited
from manystore.moves.tasks import Action
from tests.faults.moving import Stage, Watched, differing, over, reached, stage

COUNT = 12_000
EVERY = 50
"""One record of so many differs in content, and the one after it is gone from the copy."""

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture
async def scene(tmp_path: Path, postgres_url: str) -> AsyncIterator[Stage]:
    async with stage(tmp_path, postgres_url) as made:
        await made.seed(COUNT)
        yield made


async def harm(scene: Stage) -> None:
    """Change and remove rows of the copy as a disk or a restored backup would, past every trigger."""
    owner = await asyncpg.connect(scene.url)
    number = "substr(id, 6)::int"
    await owner.execute("alter table words disable trigger all")
    await owner.execute(f"update words set meaning = 'harmed' where {number} % {EVERY} = 0")
    await owner.execute(f"delete from words where {number} % {EVERY} = 1")
    await owner.execute("alter table words enable trigger all")
    await owner.close()


async def harmed(scene: Stage) -> list[str]:
    """Two workers, a copy that was whole, and its harm; their names."""
    names = await scene.workers.start_two()
    await scene.take(Action.START)
    await harm(scene)
    return names


async def repaired(scene: Stage, watched: Watched) -> None:
    """What a repair must come to that nobody disturbed, but for its figures."""
    task = await scene.ended(watched, over)
    assert task.state == "done", task.reasons
    assert watched.never_went_back, watched.done
    result = task.result or {}
    assert (result["compared"], result["left"], result["queued"]) == (COUNT, 0, 0)
    # A difference that was mended and not noted before a kill is found in order, and missing from these.
    assert 0 < result["copied"] <= COUNT // EVERY
    assert 0 < result["repeated"] <= COUNT // EVERY
    assert await differing(scene) == []
    verified = await scene.take(Action.VERIFY)
    assert verified.result is not None
    assert (verified.result["differences"], verified.result["certificate"] is None) == (0, False)
    await nothing_given_up_unseen(scene)


async def nothing_given_up_unseen(scene: Stage) -> None:
    """Each content that the copy had to give up is in the audit, however often it was begun to be mended."""
    notes = await scene.source.notes("audit/")
    kept = [msgspec.json.decode(note.value, type=Audited) for note in notes]
    replaced = {each.subject.split()[0] for each in kept if each.action == "repair.replaced"}
    assert replaced == {f"words/word-{number:08}" for number in range(0, COUNT, EVERY)}
    assert {each.reason for each in kept if each.action == "move.repair"} == {"rows lost with a disk"}


@pytest.mark.parametrize("victim", [0, 1])
async def test_the_other_worker_finishes_what_a_killed_one_left(scene: Stage, victim: int) -> None:
    """Whichever of the two it is: both sides agree, each record was mended, and what it gave up is kept."""
    names = await harmed(scene)
    watched = await begun(scene)
    await scene.workers.kill(names[victim])
    await repaired(scene, watched)


async def test_workers_killed_twice_leave_nothing_half_mended(scene: Stage) -> None:
    """Both die, those that come after them die too, further on; the third pair ends it."""
    names = await harmed(scene)
    watched = await begun(scene)
    for share in (2, 1):
        for name in names:
            await scene.workers.kill(name)
        # Nobody is at work: half of each range's last stretch may have been mended, and is not noted.
        names = await scene.workers.start_two()
        if share == 2:
            await scene.ended(watched, reached(COUNT // share))
    await repaired(scene, watched)


async def begun(scene: Stage) -> Watched:
    """A repair that has come some way."""
    await scene.ask(Action.REPAIR, reason="rows lost with a disk")
    watched = Watched()
    task = await scene.ended(watched, reached(COUNT // 5))
    assert task.is_open
    assert 0 < watched.done[-1] < COUNT
    return watched
