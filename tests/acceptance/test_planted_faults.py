"""What a target must refuse: found before a move; planted during one, held back, in the way, and mended."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from manystore.errors import StepRefusedError
from manystore.followers.queue import Entry
from manystore.followers.sync import Track
from manystore.moves.tasks import Action
from manystore.placement import Phase, read_state
from manystore.records import Kind, Record
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from manystore.testing.samples import LETTERS, PEOPLE, key_of, letter
from manystore.testing.samples import person as whole_person
from tests.contract.postgres_tables import MAPPINGS, clear, prepare
from tests.contract.sqlite_by_hand import by_hand, write_by_hand
from tests.unit.moving import Person, Scene, adopt, person

EVERYBODY = 40
LETTER = key_of(1001)


@pytest_asyncio.fixture(scope="module")
async def database(postgres_database: str) -> str:
    """A database with the tables of the sample kinds."""
    await prepare(postgres_database)
    return postgres_database


@pytest.fixture
async def scene(tmp_path: Path, database: str) -> AsyncIterator[Scene]:
    """SQLite with some people of a former system, and PostgreSQL."""
    await clear(database)
    source, target = SqliteStore(tmp_path / "documents.sqlite"), PostgresStore(database, MAPPINGS)
    async with contextlib.AsyncExitStack() as stack:
        for store in (source, target):
            stack.push_async_callback(store.close)
            await store.open()
        await adopt(source, EVERYBODY)
        yield Scene(source, target, tmp_path / "certificates")


async def plant(scene: Scene, kind: Kind, content: dict[str, Any]) -> str:
    """Write past every check of the engine, as a former system does; the log has it all the same."""
    assert isinstance(scene.source, SqliteStore)
    with by_hand(scene.source.path) as connection:
        write_by_hand(connection, kind, content["id"], content)
    return str(content["id"])


async def track_of(scene: Scene, kind: str) -> Track:
    placement = scene.family[kind]
    return Track(placement, await read_state(placement), clock=scene.clock, randomness=scene.random)


async def queued(scene: Scene, kind: str, key: str, state: str) -> Entry:
    """The queue's entry of the record, once it has come to that state; retries are not waited for."""
    track = await track_of(scene, kind)
    async with asyncio.timeout(120):
        while True:
            entry = await track.queue.entry(key)
            if entry is not None and entry.state == state:
                return entry
            await track.retry(whatever_is_due=False)
            await asyncio.sleep(0.01)


async def released(scene: Scene, kind: str) -> None:
    """Until nothing is queued any more."""
    track = await track_of(scene, kind)
    async with asyncio.timeout(120):
        while await track.queue.entries():
            await track.retry(whatever_is_due=False)
            await asyncio.sleep(0.01)


async def assert_blocks(scene: Scene, kind: str, said: str) -> None:
    """Neither a certificate nor a cut-over is to be had, and the refusal says why."""
    verified = await scene.do(Action.VERIFY, kind)
    assert verified["certificate"] is None
    with pytest.raises(StepRefusedError, match=said):
        await scene.do(Action.CUT_OVER, kind)
    assert (await read_state(scene.family[kind])).phase is Phase.DUAL_WRITE_SOURCE_READ


async def assert_goes_over(scene: Scene, kind: str) -> None:
    """The two stores agree, and the truth can move."""
    verified = await scene.do(Action.VERIFY, kind)
    assert (verified["differences"], verified["samples"]) == (0, [])
    assert verified["certificate"]
    await scene.do(Action.CUT_OVER, kind)
    assert (await read_state(scene.family[kind])).phase is Phase.DUAL_WRITE_TARGET_READ


async def rename(scene: Scene, number: int, **changes: object) -> Person:
    people = scene.repository()
    stored = await people.get(person(number).id)
    assert stored is not None
    return (await people.change(stored, msgspec.structs.replace(stored.value, **changes))).value


async def test_all_three_are_found_before_the_move(scene: Scene) -> None:
    """A plan names a shared e-mail, a value without meaning and a parent that is nowhere, and the records."""
    twin = await plant(scene, PEOPLE, whole_person(501, email="P3@EXAMPLE.org"))
    poisoned = await plant(scene, PEOPLE, whole_person(502, born="yesterday"))
    orphan = await plant(scene, LETTERS, letter(1001, 777))
    planned = {(each["problem"], each["field"]): each for each in (await scene.do(Action.PLAN))["findings"]}
    assert set(planned) == {("not unique", "email"), ("not representable", "born")}
    (shared,) = planned["not unique", "email"]["samples"]
    assert set(shared.split(", ")) == {twin, person(3).id}
    assert poisoned in planned["not representable", "born"]["samples"][0]
    (missing,) = (await scene.do(Action.PLAN, "letters"))["findings"]
    assert (missing["problem"], missing["field"], missing["count"]) == ("missing parent", "personId", 1)
    assert orphan in missing["samples"][0]
    await plant(scene, PEOPLE, whole_person(501))
    await plant(scene, PEOPLE, whole_person(502))
    await plant(scene, PEOPLE, whole_person(777))
    for kind in scene.family:
        assert (await scene.do(Action.PLAN, kind))["isClear"] is True


async def test_shared_email_planted_during_the_move(scene: Scene) -> None:
    """It ends as a dead letter that blocks the flip; once one of the two is changed, it can be replayed."""
    async with scene.working():
        await scene.do(Action.START)
        twin = person(900)
        await plant(scene, PEOPLE, msgspec.to_builtins(twin) | {"email": "P3@EXAMPLE.org"})
        entry = await queued(scene, "people", twin.id, "dead")
        assert (entry.error, "email" in entry.reason) == ("UniqueError", True)
        assert entry.record.content is not None
        assert entry.record.content["email"] == "P3@EXAMPLE.org"
        await assert_blocks(scene, "people", "1 changes are dead: look at each")
        await rename(scene, 900, email="alone@example.org")
        assert await (await track_of(scene, "people")).queue.replay(twin.id) == 1
        await released(scene, "people")
        await assert_goes_over(scene, "people")
    held = await scene.target.get(PEOPLE, twin.id)
    assert held is not None
    assert held == await scene.source.get(PEOPLE, twin.id)
    assert held.content is not None
    assert held.content["email"] == "alone@example.org"


async def test_poisoned_value_planted_during_the_move(scene: Scene) -> None:
    """A value that no column can mean is dead at once, whole, and its record waits until it is mended."""
    async with scene.working():
        await scene.do(Action.START)
        key = person(5).id
        before = await scene.target.get(PEOPLE, key)
        poisoned = msgspec.to_builtins(person(5)) | {"born": "yesterday", "note": "a\x00\ud800"}
        state = await read_state(scene.people)
        await scene.source.put(PEOPLE, key, poisoned, expected=0, epoch=state.epoch)
        entry = await queued(scene, "people", key, "dead")
        assert (entry.error, entry.attempts, "born" in entry.reason) == ("NotRepresentableError", 1, True)
        assert entry.record == Record(key, 1, poisoned)
        assert await scene.target.get(PEOPLE, key) == before
        await rename(scene, 5, visits=6)
        await assert_blocks(scene, "people", "1 changes are dead: look at each")
        mended = poisoned | {"born": "2001-02-03T04:05:06.7890123+02:00", "visits": 6}
        await scene.source.put(PEOPLE, key, mended, expected=2, epoch=state.epoch)
        assert await (await track_of(scene, "people")).queue.replay() == 1
        await released(scene, "people")
        await assert_goes_over(scene, "people")
    assert await scene.target.get(PEOPLE, key) == Record(key, 3, mended)


async def test_missing_parent_planted_during_the_move(scene: Scene) -> None:
    """A record that points to nobody is parked and blocks the flip, until that somebody is there."""
    await scene.source.apply(LETTERS, [Record(key_of(1000), 0, letter(1000, 1, personId=person(1).id))])
    async with scene.working():
        await scene.do(Action.START)
        await assert_goes_over(scene, "people")
        await scene.leases.refresh("people")
        await scene.do(Action.START, "letters")
        nobody = person(950)
        await plant(scene, LETTERS, letter(1001, 1, personId=nobody.id))
        entry = await queued(scene, "letters", LETTER, "parked")
        assert (entry.error, entry.waits_for) == ("MissingParentError", ("people", nobody.id))
        await assert_blocks(scene, "letters", "1 changes are parked: they wait for their parents")
        await scene.repository().create(nobody)
        await released(scene, "letters")
        await assert_goes_over(scene, "letters")
    held = await scene.target.get(LETTERS, LETTER)
    assert held is not None
    assert held == await scene.source.get(LETTERS, LETTER)
    assert held.content is not None
    assert held.content["personId"] == nobody.id
