"""Two workers share a copy, and one of them is killed: the other one takes up its ranges and its part."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from manystore.moves.tasks import Action
from tests.faults.moving import Stage, Watched, differing, over, reached, stage

COUNT = 12_000

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture
async def scene(tmp_path: Path, postgres_url: str) -> AsyncIterator[Stage]:
    async with stage(tmp_path, postgres_url) as made:
        await made.seed(COUNT)
        yield made


@pytest.mark.parametrize("victim", [0, 1])
async def test_the_other_worker_finishes_what_a_killed_one_left(scene: Stage, victim: int) -> None:
    """Whichever of the two it is, one of which conducts: nothing is lost, and what was done stays done."""
    names = await scene.workers.start_two()
    await scene.ask(Action.START)
    watched = Watched()
    await scene.ended(watched, reached(COUNT // 5))
    assert 0 < watched.done[-1] < COUNT
    await scene.workers.kill(names[victim])
    task = await scene.ended(watched, over)
    assert task.state == "done", task.reasons
    assert task.result is not None
    assert (task.result["records"], task.result["refused"], task.result["queued"]) == (COUNT, 0, 0)
    assert task.progress is not None
    assert (task.progress.done, task.progress.total) == (COUNT, COUNT)
    assert watched.never_went_back, watched.done
    assert await differing(scene) == []
    verified = await scene.take(Action.VERIFY)
    assert verified.result is not None
    assert (verified.result["compared"], verified.result["differences"]) == (COUNT, 0)
    assert verified.result["certificate"] is not None


async def test_both_killed_and_others_started_go_on_from_the_checkpoints(scene: Stage) -> None:
    """While nobody is there nothing happens; those who come later finish it without beginning anew."""
    names = await scene.workers.start_two()
    await scene.ask(Action.START)
    watched = Watched()
    await scene.ended(watched, reached(COUNT // 5))
    for name in names:
        await scene.workers.kill(name)
    left = await scene.board().task()
    assert left is not None
    assert left.is_open
    assert left.progress is not None
    await scene.workers.start_two()
    task = await scene.ended(watched, over)
    assert task.state == "done", task.reasons
    assert task.attempts >= 2
    assert watched.never_went_back, watched.done
    assert await differing(scene) == []
