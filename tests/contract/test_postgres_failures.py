"""What the store says when the server refuses a value, or is not there."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from manystore.errors import (
    MissingParentError,
    NotRepresentableError,
    UnavailableError,
    UniqueError,
    UnknownKindError,
)
from manystore.records import Kind, Record
from manystore.stores.postgres import PostgresStore
from manystore.stores.store import Applied, Ignored, Note, Refused, Store
from manystore.testing.contract.examining import in_batches
from manystore.testing.contract.terms import admit, fill
from manystore.testing.samples import LETTERS, PEOPLE, WORDS, key_of, letter, person, word
from tests.contract.postgres_tables import GADGETS, MAPPINGS, clear, prepare
from tests.postgres_server import postgres_server


@pytest.fixture
async def store(sample_database: str) -> AsyncIterator[Store]:
    await clear(sample_database)
    store = PostgresStore(sample_database, MAPPINGS)
    await store.open()
    await admit(store, PEOPLE, LETTERS, GADGETS)
    yield store
    await store.close()


@pytest.mark.parametrize(
    ("kind", "content", "field"),
    [
        (LETTERS, {"text": "forbidden"}, "text"),
        (GADGETS, {"rank": -1}, "rank"),
        (GADGETS, {"title": "x" * 41}, "title"),
    ],
)
async def test_broken_rule_names_the_field(store: Store, kind: Kind, content: Any, field: str) -> None:
    """A check or a length that a value breaks is a refusal with the field, as write and as copy."""
    key = key_of(1)
    content = content | {"id": key}
    with pytest.raises(NotRepresentableError) as refusal:
        await store.put(kind, key, content, expected=None, epoch=1)
    assert (refusal.value.field, refusal.value.key) == (field, key)
    many = [Record(key_of(number), 1, {"id": key_of(number)}) for number in range(2, 40)]
    many.insert(17, Record(key, 1, content))
    outcomes = await store.apply(kind, many)
    refused = outcomes.pop(17)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, NotRepresentableError)
    assert refused.error.field == field
    assert outcomes == [Applied()] * 38


async def test_unique_of_a_plain_column_names_the_promise(store: Store) -> None:
    """A constraint that SQLAlchemy left nameless is known by the name that PostgreSQL gave it."""
    await store.put(GADGETS, "a", {"id": "a", "title": "T"}, expected=None, epoch=1)
    with pytest.raises(UniqueError) as refusal:
        await store.put(GADGETS, "b", {"id": "b", "title": "T"}, expected=None, epoch=1)
    assert (refusal.value.constraint, refusal.value.field) == ("gadgets_title", "title")


async def test_orphans_are_set_aside_and_the_others_land(store: Store) -> None:
    """In a batch of children whose parents are half there, each orphan is told of its own parent."""
    await fill(store, PEOPLE, map(person, range(5)))
    letters = [Record(key_of(1000 + number), 1, letter(1000 + number, number % 10)) for number in range(200)]
    outcomes = await store.apply(LETTERS, letters, note=Note(name="place", value=b"200", revision=0))
    for number, outcome in enumerate(outcomes):
        if number % 10 < 5:
            assert outcome == Applied()
        else:
            assert isinstance(outcome, Refused)
            assert isinstance(outcome.error, MissingParentError)
            assert (outcome.error.key, outcome.error.parent_key) == (letters[number].key, key_of(number % 10))
    assert (await store.note("place")).value == b"200"
    assert await store.count(LETTERS) == 100


async def test_twins_are_set_aside_and_the_others_land(store: Store) -> None:
    """In a batch with taken values, within it and without, the first comers land and the others are told."""
    await fill(store, PEOPLE, [person(9000, email="Taken@b.org")], version=5)
    emails = [f"p{number}@b.org" for number in range(300)]
    emails[10] = emails[200] = "taken@B.org"
    emails[250] = "P20@b.org"
    records = [Record(key_of(number), 1, person(number, email=email)) for number, email in enumerate(emails)]
    outcomes = await store.apply(PEOPLE, records)
    for number, outcome in enumerate(outcomes):
        if number in (10, 200, 250):
            assert isinstance(outcome, Refused)
            assert isinstance(outcome.error, UniqueError)
            assert (outcome.error.key, outcome.error.field) == (key_of(number), "email")
        else:
            assert outcome == Applied()


async def test_stale_records_are_nobodys_culprits(store: Store) -> None:
    """In a refused batch, what the copy has newer is ignored, though it would clash or point to nothing."""
    await fill(store, PEOPLE, [person(1, email="a@b.org"), person(2, email="c@d.org")], version=5)
    await fill(store, LETTERS, [letter(1000, 1)], version=5)
    people = [
        Record(key_of(1), 2, person(1, email="c@d.org")),
        Record(key_of(3), 1, person(3, email="A@b.org")),
    ]
    people += [Record(key_of(number), 1, person(number)) for number in range(10, 30)]
    outcomes = await store.apply(PEOPLE, people)
    assert outcomes[0] == Ignored(5)
    assert isinstance(outcomes[1], Refused)
    assert outcomes[2:] == [Applied()] * 20
    letters = [Record(key_of(1000), 4, letter(1000, 77)), Record(key_of(1001), 1, letter(1001, 77))]
    letters += [Record(key_of(1000 + number), 1, letter(1000 + number, 1)) for number in range(10, 30)]
    outcomes = await store.apply(LETTERS, letters)
    assert outcomes[0] == Ignored(5)
    assert isinstance(outcomes[1], Refused)
    assert outcomes[2:] == [Applied()] * 20


async def test_examination_tries_the_tables_own_rules(store: Store) -> None:
    """A check of the table is found before anything is written, and among many records."""
    records = [Record(key_of(number), 0, letter(number, 1)) for number in range(700)]
    records[333] = Record(key_of(333), 0, letter(333, 1, text="forbidden"))
    found = await store.examine(LETTERS, in_batches(records, size=600))
    assert (found.examined, found.unfit_count, found.twins_count) == (700, 1, 0)
    assert (found.unfit[0].key, found.unfit[0].field) == (key_of(333), "text")
    assert await store.count(LETTERS) == 0


async def test_unknown_kind_is_refused(store: Store) -> None:
    """A kind without a mapping has no place here."""
    stranger = Kind(name="strangers", container="Strangers", fields=WORDS.fields)
    with pytest.raises(UnknownKindError):
        await store.get(stranger, "a")


async def test_nobody_listens() -> None:
    """Where no server answers, that is said with the reason, by the type that callers retry on."""
    store = PostgresStore("postgresql://nobody@127.0.0.1:1/nothing", MAPPINGS)
    with pytest.raises(UnavailableError, match="postgres is not available"):
        await store.open()


async def test_tables_without_capture_are_not_opened(postgres_url: str) -> None:
    """A store whose tables are missing would lose changes, so it does not open, and says which they are."""
    name = f"bare_{uuid.uuid4().hex}"
    owner = await asyncpg.connect(postgres_url)
    await owner.execute(f"create database {name}")
    try:
        store = PostgresStore(postgres_url.rpartition("/")[0] + f"/{name}", MAPPINGS)
        with pytest.raises(UnavailableError, match=r"without change capture.*people"):
            await store.open()
    finally:
        await owner.execute(f"drop database {name} with (force)")
        await owner.close()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("default_transaction_isolation", "repeatable read"), ("session_replication_role", "replica")],
)
async def test_sessions_that_would_break_promises_silently_are_not_used(
    postgres_url: str, setting: str, value: str
) -> None:
    """Where fences or triggers would not hold, the store does not open, and names the setting."""
    name = f"unfit_{uuid.uuid4().hex}"
    owner = await asyncpg.connect(postgres_url)
    await owner.execute(f"create database {name}")
    url = postgres_url.rpartition("/")[0] + f"/{name}"
    try:
        await prepare(url)
        await owner.execute(f"alter database {name} set {setting} = '{value}'")
        store = PostgresStore(url, MAPPINGS)
        with pytest.raises(UnavailableError, match=f"{setting} is {value}, and has to be"):
            await store.open()
    finally:
        await owner.execute(f"drop database {name} with (force)")
        await owner.close()


async def test_a_fence_does_not_hold_for_transactions_that_see_the_past(
    sample_database: str, store: Store
) -> None:
    """Why: at a stricter level, a writer that waited for a fence is let in by the one before."""
    raiser, writer = await asyncpg.connect(sample_database), await asyncpg.connect(sample_database)
    try:
        raising = raiser.transaction()
        await raising.start()
        await raiser.execute("select manystore.raise_fence('people', 1, 2, false, ''::bytea)")
        async with writer.transaction(isolation="repeatable_read"):
            entering = asyncio.create_task(writer.fetchval("select manystore.enter('people', 1)"))
            await asyncio.sleep(0.2)
            assert not entering.done()
            await raising.commit()
            assert await entering is True
    finally:
        await raiser.close()
        await writer.close()


async def test_many_may_open_at_once(postgres_url: str) -> None:
    """Processes that open an older database together agree on who brings the engine's schema up."""
    name = f"many_{uuid.uuid4().hex}"
    owner = await asyncpg.connect(postgres_url)
    await owner.execute(f"create database {name}")
    url = postgres_url.rpartition("/")[0] + f"/{name}"
    try:
        await prepare(url)
        older = await asyncpg.connect(url)
        await older.execute("drop function manystore.enter; update manystore.release set number = 0")
        await older.close()
        stores = [PostgresStore(url, MAPPINGS, pool_size=2) for _ in range(6)]
        await asyncio.gather(*(store.open() for store in stores))
        await admit(stores[0], WORDS)
        assert (await stores[1].put(WORDS, "a", word("a"), expected=None, epoch=1)).version == 1
        await asyncio.gather(*(store.close() for store in stores))
    finally:
        await owner.execute(f"drop database {name} with (force)")
        await owner.close()


async def test_schema_that_drifted_is_unavailable(store: Store, sample_database: str) -> None:
    """Where a column is gone, the store says that the schema is not the declared one."""
    connection = await asyncpg.connect(sample_database)
    try:
        await connection.execute("alter table words rename column meaning to sense")
        with pytest.raises(UnavailableError, match="schema is not the one declared"):
            await store.get(WORDS, "a")
    finally:
        await connection.execute("alter table words rename column sense to meaning")
        await connection.close()
    assert await store.get(WORDS, "a") is None


async def test_server_that_goes_and_comes_back() -> None:
    """While the server is away the store is unavailable; afterwards it works again by itself."""
    with postgres_server() as url:
        await prepare(url)
        store = PostgresStore(url, MAPPINGS, pool_size=2)
        await store.open()
        await admit(store, WORDS)
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        other = await asyncpg.connect(url)
        await other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        await other.close()
        await asyncio.sleep(0.1)
        assert await store.get(WORDS, "a") == Record("a", 1, word("a"))
    with pytest.raises(UnavailableError):
        await store.get(WORDS, "a")
    await store.close()


async def test_callers_beyond_the_pool_wait_their_turn(sample_database: str, store: Store) -> None:
    """More callers than connections are all served, and one that gives up takes no place with it."""
    small = PostgresStore(sample_database, MAPPINGS, pool_size=2)
    await small.open()
    await fill(store, WORDS, [word("a")])
    calls = [asyncio.create_task(small.get(WORDS, "a")) for _ in range(50)]
    await asyncio.sleep(0)
    for call in calls[::3]:
        call.cancel()
    results = await asyncio.gather(*calls, return_exceptions=True)
    served = [result for result in results if isinstance(result, Record)]
    assert len(served) >= 33
    assert all(isinstance(result, (Record, asyncio.CancelledError)) for result in results)
    assert await small.get(WORDS, "a") == Record("a", 1, word("a"))
    await small.close()


async def test_store_without_prepared_statements_does_the_same(sample_database: str, store: Store) -> None:
    """Behind a pooler that lends sessions by transaction nothing is prepared, and all is as before."""
    plain = PostgresStore(sample_database, MAPPINGS, keeps_statements=False)
    await plain.open()
    await plain.put(PEOPLE, key_of(1), person(1), expected=None, epoch=1)
    await plain.apply(PEOPLE, [Record(key_of(number), 1, person(number)) for number in range(1, 40)])
    assert await plain.get(PEOPLE, key_of(7)) == Record(key_of(7), 1, person(7))
    assert await plain.count(PEOPLE) == 39
    await plain.close()


async def test_close_wakes_those_who_wait(sample_database: str, store: Store) -> None:
    """Callers in line for a connection when the store closes are told so."""
    small = PostgresStore(sample_database, MAPPINGS, pool_size=1)
    await small.open()
    holder = await asyncpg.connect(sample_database)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("lock table words in access exclusive mode")
    calls = [asyncio.create_task(small.get(WORDS, "a")) for _ in range(3)]
    await asyncio.sleep(0.1)
    closing = asyncio.create_task(small.close())
    results = await asyncio.gather(*calls[1:], return_exceptions=True)
    assert all(isinstance(result, UnavailableError) for result in results)
    await transaction.rollback()
    await asyncio.gather(closing, calls[0], return_exceptions=True)
    await holder.close()


async def test_a_warm_pool_has_planned_what_it_is_asked_most(sample_database: str) -> None:
    """Each of its connections has prepared the reading of each kind, and reading prepares nothing more."""
    store = PostgresStore(sample_database, MAPPINGS, pool_size=3)
    await store.open()
    await store.warm()
    try:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(3):
                connection = await stack.enter_async_context(store._connections.borrow())
                count = await connection.fetchval("select count(*) from pg_prepared_statements")
                assert count >= len(MAPPINGS)
    finally:
        await store.close()


async def test_a_warm_pool_opens_no_connection_when_many_come_at_once(sample_database: str) -> None:
    """All that it may lend are there beforehand, no more than that, and a burst gets along with them."""
    await clear(sample_database)
    store = PostgresStore(sample_database, MAPPINGS, pool_size=4)
    await store.open()
    await store.warm()
    await store.warm()
    psql = await asyncpg.connect(sample_database)
    try:
        query = (
            "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        )
        before = {row["pid"] for row in await psql.fetch(query)}
        await asyncio.gather(*(store.get(PEOPLE, key_of(number)) for number in range(20)))
        after = {row["pid"] for row in await psql.fetch(query)}
    finally:
        await psql.close()
        await store.close()
    assert len(before) >= 4
    assert after <= before


async def test_connections_lost_amid_a_copy_are_unavailable_and_lent_to_nobody(
    sample_database: str, store: Store
) -> None:
    """Whatever the driver says of a connection that is cut amid a statement, callers hear what they can
    wait out, and the next ones get sound connections.
    """
    notes = iter(range(1_000))

    async def copy(start: int) -> object:
        records = [
            Record(f"{start}-{number}", 1, word(f"{start}-{number}") | {"text": "x" * 5000})
            for number in range(300)
        ]
        try:
            return await store.apply(
                WORDS, records, note=Note(name=f"cut/{next(notes)}", value=b"x", revision=0)
            )
        except UnavailableError as error:
            return error

    killer = await asyncpg.connect(sample_database)
    await admit(store, WORDS)
    heard = list[object]()
    for turn in range(12):
        copies = [asyncio.create_task(copy(10 * turn + each)) for each in range(4)]
        await asyncio.sleep(0.003 * turn)
        await killer.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
            "and pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        heard += await asyncio.gather(*copies)
    await killer.close()
    assert any(isinstance(each, UnavailableError) for each in heard)
    assert await copy(10_000) == [Applied()] * 300
