"""Exchanges of unique values where the columns take no null, are checked, and have children."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.ddl import DDLElement

from manystore.errors import UniqueError
from manystore.followers.queue import MAX_ATTEMPTS
from manystore.followers.sync import Track
from manystore.placement import Phase, Placement, read_state
from manystore.records import Field, FieldType, Kind, Label, Record, Unique
from manystore.stores.memory import MemoryStore
from manystore.stores.postgres import Mapping, PostgresStore, capture_triggers, control_statements
from manystore.stores.store import Applied, Outcome, Refused
from tests.unit.clocks import ManualClock

_METADATA = sa.MetaData()

MEMBERS = Kind(
    name="members",
    container="Members",
    fields=tuple(
        Field(name=name, type=kind, label=Label.INTERNAL)
        for name, kind in (
            ("id", FieldType.STRING),
            ("email", FieldType.STRING),
            ("badge", FieldType.UUID),
            ("nick", FieldType.STRING),
            ("joined", FieldType.DATE),
        )
    ),
    uniques=(
        Unique(name="members_email", field="email", ignoring_case=True),
        Unique(name="members_badge", field="badge"),
        Unique(name="members_nick", field="nick"),
        Unique(name="members_joined", field="joined"),
    ),
)

TABLE = sa.Table(
    "members",
    _METADATA,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("email", sa.String(20), nullable=False),
    sa.Column("badge", sa.Uuid, nullable=False),
    sa.Column("nick", sa.Text),
    sa.Column("joined", sa.Date, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("residue", sa.Text),
    sa.CheckConstraint("email ~ '^[a-z0-9.]+@[a-z.]+$'", name="members_email_form"),
    sa.UniqueConstraint("badge", name="members_badge"),
    sa.UniqueConstraint("nick", name="members_nick"),
    sa.UniqueConstraint("joined", name="members_joined"),
)
sa.Index("members_email", sa.func.lower(TABLE.c.email), unique=True)

MAPPING = Mapping(
    kind=MEMBERS,
    table=TABLE,
    columns={"id": "id", "email": "email", "badge": "badge", "nick": "nick", "joined": "joined"},
    constraints={"members_email": "email"},
)

_BY_HAND = [
    "create table visits (id serial primary key, "
    "member text not null references members (id) on delete cascade on update cascade)",
    # What a product hangs on its table sees the exchange as the writes that it is.
    "create table seen (operation text, email text)",
    "create function see() returns trigger language plpgsql as $$ begin "
    "insert into seen values (tg_op, new.email); return null; end $$",
    "create trigger see after insert or delete on members for each row execute function see()",
]


def badge(number: int) -> str:
    """A UUID by number."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"badge {number}"))


def member(number: int, version: int, having: int, **changed: Any) -> Record:
    """Member `number` with the values of number `having`."""
    content = {
        "id": f"m{number}",
        "email": f"m{having}@b.org",
        "badge": badge(having),
        "nick": f"nick {having}",
        "joined": f"2024-01-{number + 1:02}",
    }
    return Record(f"m{number}", version, content | changed)


@pytest.fixture
async def url(postgres_database: str) -> AsyncIterator[str]:
    owner = await asyncpg.connect(postgres_database)
    dialect = pg.dialect()  # type: ignore[no-untyped-call]
    async with owner.transaction():
        tables: list[DDLElement] = [CreateTable(TABLE), *map(CreateIndex, TABLE.indexes)]
        compiled = [str(each.compile(dialect=dialect)) for each in tables]
        for statement in [*control_statements(), *compiled, *capture_triggers(MAPPING), *_BY_HAND]:
            await owner.execute(statement)
    yield postgres_database
    await owner.execute("drop table members cascade; drop table visits, seen; drop function see cascade")
    await owner.execute("drop schema manystore cascade")
    await owner.close()


@pytest.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(url, [MAPPING])
    await store.open()
    yield store
    await store.close()


async def test_columns_without_null_are_exchanged_and_no_child_is_touched(
    store: PostgresStore, url: str
) -> None:
    """Three values of three sorts go round in a circle; children stay, and no row is deleted or made."""
    await store.apply(MEMBERS, [member(number, 1, number) for number in range(3)])
    owner = await asyncpg.connect(url)
    await owner.execute("insert into visits (member) select id from members; truncate seen")
    circle = [member(number, 2, (number + 1) % 3) for number in range(3)]
    assert await store.apply_together(MEMBERS, circle) == [Applied()] * 3
    assert await store.get_many(MEMBERS, ["m0", "m1", "m2"]) == {record.key: record for record in circle}
    assert await owner.fetchval("select count(*) from visits") == 3
    assert await owner.fetchval("select count(*) from seen") == 0
    await owner.close()


async def test_a_value_too_long_for_more_letters_has_a_stand_in_of_its_length(store: PostgresStore) -> None:
    """An address that fills its column keeps its form while it is exchanged."""
    emails = ["a" * 14 + "@b.org", "b" * 14 + "@b.org"]
    await store.apply(MEMBERS, [member(n, 1, n, email=email) for n, email in enumerate(emails)])
    swapped = [member(n, 2, n, email=email) for n, email in enumerate(emails[::-1])]
    assert await store.apply_together(MEMBERS, swapped) == [Applied(), Applied()]


async def test_a_value_that_has_no_stand_in_is_refused_whole(store: PostgresStore) -> None:
    """A date that its column must have cannot be parked: both are refused by its constraint, and stay."""
    before = [member(number, 1, number) for number in range(2)]
    await store.apply(MEMBERS, before)
    swapped = [member(n, 2, n, joined=f"2024-01-{2 - n:02}") for n in range(2)]
    outcomes = await store.apply_together(MEMBERS, swapped)
    for outcome in outcomes:
        assert isinstance(outcome, Refused)
        assert isinstance(outcome.error, UniqueError)
        assert outcome.error.field == "joined"
    assert await store.get_many(MEMBERS, ["m0", "m1"]) == {record.key: record for record in before}


async def test_exchanges_at_once_end_as_the_newest_versions_say(store: PostgresStore, url: str) -> None:
    """Two handles bring in circles of eight, older and newer in any order: the newest one stands."""
    second = PostgresStore(url, [MAPPING])
    await second.open()
    await store.apply(MEMBERS, [member(number, 1, number) for number in range(8)])
    randomness = random.Random(3)

    async def bring(handle: PostgresStore, version: int) -> list[Outcome]:
        circle = [member(number, version, (number + version) % 8) for number in range(8)]
        randomness.shuffle(circle)
        return await handle.apply_together(MEMBERS, circle)

    versions = list(range(2, 14))
    randomness.shuffle(versions)
    await asyncio.gather(*(bring([store, second][at % 2], version) for at, version in enumerate(versions)))
    await second.close()
    expected = {f"m{number}": member(number, 13, (number + 13) % 8) for number in range(8)}
    assert await store.get_many(MEMBERS, list(expected)) == expected


async def test_what_cannot_be_exchanged_goes_by_way_of_a_third_value(store: PostgresStore) -> None:
    """Both are dead letters; one that is given a value of its own at the truth, and followed, frees both."""
    source = MemoryStore("documents")
    await source.open()
    placement = Placement(kind=MEMBERS, source=source, target=store, initial=Phase.DUAL_WRITE_SOURCE_READ)
    state = await read_state(placement)
    track = Track(placement, state, clock=ManualClock(), randomness=random.Random(1))

    async def join(number: int, day: int) -> None:
        held = await source.get(MEMBERS, f"m{number}")
        content = member(number, 1, number, joined=f"2024-01-{day:02}").content
        assert content is not None
        await source.put(
            MEMBERS, f"m{number}", content, expected=held.version if held else None, epoch=state.epoch
        )

    for number, day in ((0, 1), (1, 2)):
        await join(number, day)
    await track.reach(await source.head(MEMBERS))
    for number, day in ((0, 9), (1, 1), (0, 2)):
        await join(number, day)
    await track.reach(await source.head(MEMBERS))
    for _ in range(MAX_ATTEMPTS):
        await track.retry(whatever_is_due=False)
    assert {(entry.state, entry.error) for entry in await track.queue.entries()} == {("dead", "UniqueError")}
    await join(0, 9)
    await track.advance()
    assert await track.queue.replay() == 2
    await track.reach(await source.head(MEMBERS))
    assert await track.queue.entries() == []
    await join(0, 2)
    await track.reach(await source.head(MEMBERS))
    keys = ["m0", "m1"]
    assert await store.get_many(MEMBERS, keys) == await source.get_many(MEMBERS, keys)
