"""What is done to the tables behind the engine's back is a change like any other, and none is missed."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from manystore.errors import StaleEpochError
from manystore.records import Record
from manystore.specifications import Specification, field
from manystore.stores.postgres import (
    PostgresStore,
    capture_triggers,
    control_statements,
    drop_capture_triggers,
)
from manystore.stores.store import Applied, Fence, Store
from manystore.testing.contract.terms import admit, newest, read_log
from manystore.testing.samples import LETTERS, PEOPLE, key_of, letter, person
from tests.contract.postgres_tables import MAPPINGS, PEOPLE_MAPPING, clear

KEY = key_of(1)


@pytest.fixture
async def store(sample_database: str, store_url: str) -> AsyncIterator[Store]:
    await clear(sample_database)
    store = PostgresStore(store_url, MAPPINGS)
    await store.open()
    await admit(store, PEOPLE, LETTERS)
    yield store
    await store.close()


@pytest.fixture
async def psql(sample_database: str) -> AsyncIterator[Any]:
    """A connection that knows nothing of the engine."""
    connection = await asyncpg.connect(sample_database)
    yield connection
    await connection.close()


async def held(store: Store) -> Record:
    record = await store.get(PEOPLE, KEY)
    assert record is not None
    return record


async def test_insert_by_hand_is_a_first_version(store: Store, psql: Any) -> None:
    """A row that somebody inserts has version 1 and is in the log."""
    await psql.execute("insert into people (id, name) values ($1, 'Ada')", KEY)
    assert await held(store) == Record(KEY, 1, {"id": KEY, "name": "Ada", "nicknames": [], "pets": []})
    assert newest((await read_log(store, PEOPLE))[0]) == {KEY: 1}


async def test_update_by_hand_raises_the_version(store: Store, psql: Any) -> None:
    """An update that forgets the version raises it by one; what it changed is read, what it did not stays."""
    await store.put(PEOPLE, KEY, person(1, email="a\x00@b.org"), expected=None, epoch=1)
    await psql.execute("update people set name = 'Bea' where id = $1", KEY)
    assert await held(store) == Record(KEY, 2, person(1, email="a\x00@b.org", name="Bea"))
    await psql.execute("update people set version = 1 where id = $1", KEY)
    assert (await held(store)).version == 3
    assert newest((await read_log(store, PEOPLE))[0]) == {KEY: 3}


async def test_delete_by_hand_leaves_a_tombstone(store: Store, psql: Any) -> None:
    """A row that somebody deletes is a tombstone with the next version; inserted again it goes on above."""
    await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
    await psql.execute("delete from people")
    assert await store.get(PEOPLE, KEY) == Record(KEY, 2, None)
    await psql.execute("insert into people (id) values ($1)", KEY)
    assert (await held(store)).version == 3
    assert newest((await read_log(store, PEOPLE))[0]) == {KEY: 3}


@pytest.mark.parametrize(
    "statement",
    [
        "update addresses set city = 'York'",
        "delete from addresses",
        "insert into nicknames (person_id, nickname, ordinal) select id, 'New', 5 from people",
        "delete from nicknames",
        "update pets set age = 3",
        "insert into pets (person_id, ordinal) select id, n from people, generate_series(5, 9) n",
    ],
)
async def test_change_of_a_part_raises_its_root(store: Store, psql: Any, statement: str) -> None:
    """A part that somebody changes is a change of the record, one version a transaction."""
    await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
    await psql.execute(statement)
    assert (await held(store)).version == 2
    assert (await held(store)).content != person(1)
    assert newest((await read_log(store, PEOPLE))[0]) == {KEY: 2}


async def test_many_changes_of_one_transaction_are_one_version(store: Store, psql: Any) -> None:
    """Root and parts changed together by hand raise the version once, as others see it."""
    await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
    async with psql.transaction():
        await psql.execute("update people set name = 'Bea'")
        await psql.execute("update pets set age = 3")
        await psql.execute("delete from nicknames")
    assert (await held(store)).version == 2


async def test_rows_numbered_by_hand_are_numbered_anew(store: Store, psql: Any) -> None:
    """Items whose rows somebody numbered otherwise are read, written over and read again without loss."""
    await store.put(PEOPLE, KEY, person(1, pets=[{"name": "Rex", "wings": 2}]), expected=None, epoch=1)
    await psql.execute("update pets set ordinal = 7")
    await psql.execute("insert into pets (person_id, ordinal, name) values ($1, 5, 'Tib')", KEY)
    record = await held(store)
    assert record.content is not None
    assert [pet["name"] for pet in record.content["pets"]] == ["Tib", "Rex"]
    pets = [{"name": "Tib", "horns": 1}, {"name": "Rex", "wings": 2}]
    for content in (person(1, pets=pets), person(1, pets=pets, name="Bea")):
        written = await store.put(PEOPLE, KEY, content, expected=(await held(store)).version, epoch=1)
        assert await store.get(PEOPLE, KEY) == Record(KEY, written.version, content)


async def test_part_that_moves_raises_both_roots(store: Store, psql: Any) -> None:
    """A row of a part that is given to another record changes the two."""
    for number in (1, 2):
        await store.put(PEOPLE, key_of(number), person(number), expected=None, epoch=1)
    await psql.execute("update nicknames set person_id = $1", key_of(2))
    assert newest((await read_log(store, PEOPLE))[0]) == {key_of(1): 2, key_of(2): 2}


async def test_foreign_key_action_is_a_change_of_the_child(store: Store) -> None:
    """A letter whose person is deleted changes by itself: a new version without the reference, in the log."""
    await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
    await store.put(LETTERS, key_of(5), letter(5, 1), expected=None, epoch=1)
    await store.delete(PEOPLE, KEY, expected=1, epoch=1)
    orphan = letter(5, 1)
    del orphan["personId"]
    assert await store.get(LETTERS, key_of(5)) == Record(key_of(5), 2, orphan)
    assert newest((await read_log(store, LETTERS))[0]) == {key_of(5): 2}


async def test_foreign_key_action_of_a_copy_is_a_change_of_the_child(store: Store) -> None:
    """The same where the deletion arrives as a copy: the child's truth is here, and it has changed."""
    await store.apply(PEOPLE, [Record(KEY, 1, person(1))])
    await store.put(LETTERS, key_of(5), letter(5, 1), expected=None, epoch=1)
    await store.apply(PEOPLE, [Record(KEY, 2, None)])
    assert newest((await read_log(store, LETTERS))[0]) == {key_of(5): 2}
    assert (await read_log(store, PEOPLE))[0] == []


@pytest.mark.parametrize("people_are", ["truth", "copy"])
async def test_foreign_key_action_on_a_copy_is_only_an_echo(store: Store, people_are: str) -> None:
    """Where the child's truth is elsewhere, its own change is on its way: no version, no log, no alarm.

    The reference is gone all the same, and the change that comes then finds the version that it expects.
    """
    await store.raise_fence(LETTERS, Fence(epoch=2, admits=False), expected=1)
    if people_are == "truth":
        await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
    else:
        await store.raise_fence(PEOPLE, Fence(epoch=2, admits=False), expected=1)
        await store.apply(PEOPLE, [Record(KEY, 1, person(1))])
    await store.apply(LETTERS, [Record(key_of(5), 2, letter(5, 1))])
    if people_are == "truth":
        await store.delete(PEOPLE, KEY, expected=1, epoch=1)
    else:
        await store.apply(PEOPLE, [Record(KEY, 2, None)])
    held = await store.get(LETTERS, key_of(5))
    assert held is not None
    assert (held.version, "personId" in (held.content or {})) == (2, False)
    assert (await read_log(store, LETTERS))[0] == []
    assert await store.rogue_writes(LETTERS) == []
    released = {"id": key_of(5), "text": "released by its own truth"}
    assert await store.apply(LETTERS, [Record(key_of(5), 3, released)]) == [Applied()]


@pytest.mark.parametrize("table", ["people", "nicknames", "letters"])
async def test_truncate_is_refused(store: Store, psql: Any, table: str) -> None:
    """No row trigger sees a TRUNCATE, so it is refused, with the way to go instead."""
    with pytest.raises(asyncpg.FeatureNotSupportedError, match="delete its rows instead"):
        await psql.execute(f"truncate {table} cascade")


async def test_key_does_not_change(store: Store, psql: Any) -> None:
    """A key that changed would be a record lost and another found, so it is refused."""
    await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
    with pytest.raises(asyncpg.FeatureNotSupportedError, match="key of a record does not change"):
        await psql.execute("update people set id = $1", key_of(2))


async def test_insert_that_waited_for_a_delete_gets_above_it(store: Store, psql: Any) -> None:
    """Whoever inserts a key while it is being deleted cannot end up below its tombstone."""
    await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
    transaction = psql.transaction()
    await transaction.start()
    await psql.execute("delete from people")
    putting = asyncio.create_task(store.put(PEOPLE, KEY, person(1), expected=None, epoch=1))
    await asyncio.sleep(0.2)
    assert not putting.done()
    await transaction.commit()
    assert (await putting).version == 3
    assert await store.get(PEOPLE, KEY) == Record(KEY, 3, person(1))


async def test_own_columns_of_unchanged_parts_survive(store: Store, psql: Any) -> None:
    """A row of a part that a write does not change keeps what only the database knows of it."""
    await store.put(PEOPLE, KEY, person(1, nicknames=["a", "b"]), expected=None, epoch=1)
    before = dict(await psql.fetch("select nickname, given_at from nicknames"))
    await store.put(PEOPLE, KEY, person(1, nicknames=["c", "b"]), expected=1, epoch=1)
    await store.apply(PEOPLE, [Record(KEY, 5, person(1, nicknames=["b", "d"]))])
    await store.apply(PEOPLE, [Record(KEY, 6, person(1, nicknames=["b"]))] * 20)
    after = dict(await psql.fetch("select nickname, given_at from nicknames"))
    assert after == {"b": before["b"]}


async def test_fence_waits_for_those_who_entered(store: Store, psql: Any) -> None:
    """A fence rises once the writers under the former epoch are done; the next one of them is refused."""
    transaction = psql.transaction()
    await transaction.start()
    await psql.execute("select manystore.enter('people', 1)")
    raising = asyncio.create_task(store.raise_fence(PEOPLE, Fence(epoch=2, admits=False), expected=1))
    await asyncio.sleep(0.2)
    assert not raising.done()
    await transaction.commit()
    assert await raising
    with pytest.raises(StaleEpochError) as refusal:
        await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
    assert (refusal.value.actual, refusal.value.admits) == (2, False)


async def test_writer_that_waited_for_a_fence_is_refused(store: Store, psql: Any) -> None:
    """A write that began before the fence rose, and had to wait for it, sees the fence that rose."""
    transaction = psql.transaction()
    await transaction.start()
    await psql.execute("select manystore.raise_fence('people', 1, 2, true, ''::bytea)")
    putting = asyncio.create_task(store.put(PEOPLE, KEY, person(1), expected=None, epoch=1))
    await asyncio.sleep(0.2)
    assert not putting.done()
    await transaction.commit()
    with pytest.raises(StaleEpochError):
        await putting
    assert await store.get(PEOPLE, KEY) is None


async def test_writes_leave_no_settings_behind(store: Store, store_url: str) -> None:
    """The mode ends with its transaction, so a pooled session is as good as a new one."""
    single = PostgresStore(store_url, MAPPINGS, pool_size=1)
    await single.open()
    await single.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
    await single.apply(PEOPLE, [Record(key_of(number), 1, person(number)) for number in range(2, 30)])
    assert (await single._connections.value("select current_setting('manystore.mode', true)")) in (None, "")
    await single.close()


async def test_masks_are_found_by_their_index(store: Store, psql: Any) -> None:
    """A value that its column cannot show is found by what it is, not by what stands for it."""
    await store.put(PEOPLE, KEY, person(1, name="a\x00b"), expected=None, epoch=1)
    for name, count in (("a\x00b", 1), ("a\ufffdb", 0)):
        page = await store.find(PEOPLE, Specification(where=field("name") == name))
        assert len(page.records) == count
    indexes = {
        row[0] for row in await psql.fetch("select indexname from pg_indexes where tablename = 'people'")
    }
    assert "people_masked" in indexes


async def test_capture_can_be_taken_off_and_put_on(postgres_url: str) -> None:
    """The statements undo each other, and may be run again."""
    connection = await asyncpg.connect(postgres_url)
    name = f"capture_{uuid.uuid4().hex}"
    await connection.execute(f"create database {name}")
    await connection.close()
    url = postgres_url.rpartition("/")[0] + f"/{name}"
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "create table people (id uuid primary key, version bigint not null, residue text)"
        )
        for table in ("addresses", "nicknames", "pets"):
            await connection.execute(f"create table {table} (person_id uuid, ordinal integer)")
        for _ in range(2):
            for statement in [*control_statements(), *capture_triggers(PEOPLE_MAPPING)]:
                await connection.execute(statement)
        for _ in range(2):
            for statement in drop_capture_triggers(PEOPLE_MAPPING):
                await connection.execute(statement)
        left = await connection.fetch("select tgname from pg_trigger where not tgisinternal")
        assert left == []
    finally:
        await connection.close()


async def test_rogue_write_is_kept_with_what_it_wrote(store: Store, psql: Any) -> None:
    """What is written by hand where the fence admits nothing is kept until somebody decides about it."""
    await store.apply(PEOPLE, [Record(key_of(number), 4, person(number)) for number in (1, 2, 3)])
    await store.raise_fence(PEOPLE, Fence(epoch=2, admits=False), expected=1)
    async with psql.transaction():
        await psql.execute("update people set name = 'Bea' where id = $1", KEY)
        await psql.execute("delete from nicknames where person_id = $1", KEY)
    await psql.execute("delete from people where id = $1", key_of(2))
    await psql.execute("update pets set age = 77 where person_id = $1", key_of(3))
    rogues = {rogue.key: rogue for rogue in await store.rogue_writes(PEOPLE)}
    assert {key: rogue.version for key, rogue in rogues.items()} == {KEY: 5, key_of(2): 5, key_of(3): 5}
    (change, removal) = json.loads(rogues[KEY].evidence)
    assert (change["operation"], change["row"]["name"]) == ("UPDATE", "Bea")
    assert (removal["table"], removal["row"]["nickname"]) == ("nicknames", "Nick1")
    assert json.loads(rogues[key_of(2)].evidence)[-1]["operation"] == "DELETE"
    assert json.loads(rogues[key_of(3)].evidence)[-1]["row"]["age"] == 77
    assert "mystira" in rogues[KEY].by
    await store.apply(PEOPLE, [Record(KEY, 9, person(1))])
    assert await store.forget_rogue_write(PEOPLE, rogues[KEY])
    assert not await store.forget_rogue_write(PEOPLE, rogues[KEY])
    assert {rogue.key for rogue in await store.rogue_writes(PEOPLE)} == {key_of(2), key_of(3)}


async def test_engine_writes_are_never_rogue(store: Store, psql: Any) -> None:
    """Copying, and what foreign keys do of themselves in the course of it, is no rogue write."""
    await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
    await store.put(LETTERS, key_of(5), letter(5, 1), expected=None, epoch=1)
    for kind in (PEOPLE, LETTERS):
        await store.raise_fence(kind, Fence(epoch=2, admits=False), expected=1)
    await store.apply(PEOPLE, [Record(KEY, 2, person(1, name="B")), Record(KEY, 3, None)])
    assert [await store.rogue_writes(kind) for kind in (PEOPLE, LETTERS)] == [[], []]
    await psql.execute("insert into people (id) values ($1)", key_of(2))
    assert len(await store.rogue_writes(PEOPLE)) == 1
