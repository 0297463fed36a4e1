"""Two workers share a verification, and one is killed, frozen, or told to stop: the proof is whole."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from manystore.moves.certificate import CertificateFolder
from manystore.moves.tasks import Action
from tests.faults.moving import STOP_SECONDS, Stage, Watched, over, reached, stage

COUNT = 12_000

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture
async def scene(tmp_path: Path, postgres_url: str) -> AsyncIterator[Stage]:
    async with stage(tmp_path, postgres_url) as made:
        await made.seed(COUNT)
        yield made


async def half_verified(scene: Stage) -> tuple[list[str], Watched]:
    """Two workers in the midst of a verification."""
    names = await scene.workers.start_two()
    await scene.take(Action.START)
    await scene.ask(Action.VERIFY)
    watched = Watched()
    await scene.ended(watched, reached(COUNT // 5))
    assert 0 < watched.done[-1] < COUNT
    return names, watched


async def verified(scene: Stage, watched: Watched) -> None:
    """What a verification must come to that nobody disturbed."""
    task = await scene.ended(watched, over)
    assert task.state == "done", task.reasons
    assert task.result is not None
    assert (task.result["compared"], task.result["differences"]) == (COUNT, 0)
    assert watched.never_went_back, watched.done
    certificate = CertificateFolder(Path(task.result["certificate"]).parent).newest("words")
    assert certificate is not None
    assert certificate.records == COUNT
    ends = [(proof.after, proof.upto) for proof in certificate.ranges]
    assert len(ends) == 4
    assert [before[1] for before in ends[:-1]] == [after[0] for after in ends[1:]]
    assert (ends[0][0], ends[-1][1]) == (None, None)
    assert all(proof.truth_digest == proof.copy_digest for proof in certificate.ranges)


@pytest.mark.parametrize("victim", [0, 1])
async def test_the_other_worker_finishes_what_a_killed_one_left(scene: Stage, victim: int) -> None:
    """The certificate is of all ranges, each whole, and checking it again finds the same digests."""
    names, watched = await half_verified(scene)
    await scene.workers.kill(names[victim])
    await verified(scene, watched)
    rechecked = await scene.take(Action.RECHECK)
    assert rechecked.result is not None
    assert rechecked.result["holds"] is True


async def test_a_difference_is_found_once_however_often_workers_die(scene: Stage) -> None:
    """A row changed behind the engine's back is one difference, named, though two workers were killed."""
    names, watched = await half_verified(scene)
    await scene.workers.kill(names[0])
    await scene.workers.kill(names[1])
    owner = await asyncpg.connect(scene.url)
    # The first of all, which had been compared, and the last, which had not.
    for key in ("word-00000000", f"word-{COUNT - 1:08}"):
        await owner.execute("alter table words disable trigger all")
        await owner.execute("update words set meaning = 'another' where id = $1", key)
        await owner.execute("alter table words enable trigger all")
    await owner.close()
    await scene.workers.start()
    task = await scene.ended(watched, over)
    assert task.result is not None
    assert task.result["samples"] == [f"word-{COUNT - 1:08} differing in meaning"]
    assert task.result["certificate"] is None
    assert watched.never_went_back, watched.done


async def test_a_worker_told_to_stop_ends_in_time_and_leaves_its_part_to_others(scene: Stage) -> None:
    """SIGTERM in the middle of a range: exit code 0, without being killed, and the task goes on."""
    names, watched = await half_verified(scene)
    assert await scene.workers.stop(names[0]) == 0, f"it took longer than {STOP_SECONDS} s"
    await verified(scene, watched)


async def test_a_frozen_worker_is_replaced_and_does_no_harm_when_it_wakes(scene: Stage) -> None:
    """Both the one that took over and the one that wakes work on the same ranges; one result counts."""
    names, watched = await half_verified(scene)
    scene.workers.signal(names[0], signal.SIGSTOP)
    task = await scene.ended(watched, over)
    scene.workers.signal(names[0], signal.SIGCONT)
    assert task.state == "done", task.reasons
    assert watched.never_went_back, watched.done
    again = await scene.take(Action.VERIFY)
    assert again.result is not None
    assert (again.result["compared"], again.result["differences"]) == (COUNT, 0)
