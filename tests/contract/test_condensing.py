"""What PostgreSQL says of a range in a few bytes: the same for the same records, and else something else."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec
import pytest
import sqlalchemy as sa

from manystore.errors import UnavailableError
from manystore.moves.tasks import Action
from manystore.moves.verify import BY_RECORD
from manystore.records import Kind, Record
from manystore.stores.memory import MemoryStore
from manystore.stores.postgres import PostgresStore
from manystore.stores.store import Condensed, Depth, KeyRange
from manystore.testing.samples import PEOPLE, awkward_people, key_of, person
from tests.contract.postgres_tables import (
    ADDRESSES,
    MAPPINGS,
    NICKNAMES,
    PEOPLE_MAPPING,
    PEOPLE_TABLE,
    PETS,
    clear,
)
from tests.unit import moving
from tests.unit.moving import Scene, adopt

KEY: Final = key_of(1)
GONE: Final = key_of(2)
RECORDS: Final = [
    Record(KEY, 3, person(1)),
    Record(GONE, 4, None),
    *(
        Record(key_of(number), 2, content | {"id": key_of(number)})
        for number, content in enumerate(awkward_people().values(), 10)
    ),
]
EVERYTHING: Final = KeyRange()

OTHERWISE: Final = {
    sa.Uuid: "gen_random_uuid()",
    sa.DateTime: "coalesce({0}, now()) + interval '1 microsecond'",
    sa.Date: "coalesce({0}, current_date) + 1",
    sa.Boolean: "not coalesce({0}, true)",
    sa.Double: "coalesce({0}, 0) + 1",
    sa.Integer: "coalesce({0}, 0) + 1",
    sa.ARRAY: "array_append({0}, 'x')",
    sa.String: "coalesce({0}, '') || 'x'",
    sa.JSON: "jsonb_build_array({0})",
}
"""Another value for a column of each type."""

BELONGING: Final = {
    PEOPLE_TABLE: ("id", [column.name for column in PEOPLE_TABLE.c if column.name != "id"]),
    ADDRESSES: ("person_id", ["street", "city", "since"]),
    NICKNAMES: ("person_id", ["nickname", "ordinal"]),
    PETS: ("person_id", ["ordinal", "pet_id", "name", "age"]),
}
"""Tables with the column that holds the record's key and those that belong to the record."""


def _otherwise(column: sa.Column[Any]) -> str:
    text = next(text for its_type, text in OTHERWISE.items() if isinstance(column.type, its_type))
    return text.format(column.name)


COLUMNS: Final = [
    (table.name, key, name, _otherwise(table.c[name]))
    for table, (key, names) in BELONGING.items()
    for name in names
]


class Twins(msgspec.Struct):
    """Two databases that hold the same."""

    one: PostgresStore
    other: PostgresStore
    one_url: str
    other_url: str

    async def agree(self, depth: Depth = "full", key_range: KeyRange = EVERYTHING) -> bool:
        one, other = [await store.condense(PEOPLE, key_range, depth) for store in (self.one, self.other)]
        assert one.form == other.form
        return one == other

    async def by_hand(self, statement: str) -> None:
        """Change the other past its triggers."""
        connection = await asyncpg.connect(self.other_url)
        try:
            await connection.execute(f"set session_replication_role = replica; {statement}")
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def _twins(urls: tuple[str, str]) -> AsyncIterator[Twins]:
    one, other = PostgresStore(urls[0], MAPPINGS, "one"), PostgresStore(urls[1], MAPPINGS, "other")
    for store, url in ((one, urls[0]), (other, urls[1])):
        await clear(url)
        await store.open()
    yield Twins(one, other, *urls)
    await one.close()
    await other.close()


@pytest.fixture
async def twins(sample_database: str, sample_twin: str) -> AsyncIterator[Twins]:
    async with _twins((sample_database, sample_twin)) as made:
        for store in (made.one, made.other):
            await store.apply(PEOPLE, RECORDS)
        yield made


async def test_the_same_records_are_condensed_alike(twins: Twins) -> None:
    """Whatever values they have, tombstones included; what else rows have (times, numbers) does not count."""
    assert await twins.agree("full")
    assert await twins.agree("versions")
    condensed = await twins.one.condense(PEOPLE, EVERYTHING, "full")
    assert condensed.count == len(await twins.one.scan(PEOPLE, EVERYTHING, 1000))
    assert condensed.count > 20


@pytest.mark.parametrize(("table", "key", "column", "value"), COLUMNS)
async def test_each_column_of_a_record_counts(
    twins: Twins, table: str, key: str, column: str, value: str
) -> None:
    """Where one alone differs, in whatever table, so does what is said of the whole range."""
    await twins.by_hand(f"update {table} set {column} = {value} where {key} = '{KEY}'")
    assert not await twins.agree("full")
    assert await twins.agree("versions") == (column != "version")


@pytest.mark.parametrize(
    "statement",
    [
        f"delete from people where id = '{KEY}'",
        f"delete from pets where person_id = '{KEY}' and ordinal = 0",
        f"delete from manystore.tombstones where key = '{GONE}'",
        "update manystore.tombstones set version = version + 1",
        "insert into people (id, version) values (gen_random_uuid(), 3)",
        f"insert into manystore.tombstones (kind, key, version) values ('people', '{key_of(99)}', 3)",
    ],
)
async def test_each_row_counts(twins: Twins, statement: str) -> None:
    """One that is gone or added is missed, in tables of parts and among tombstones as well."""
    await twins.by_hand(statement)
    assert not await twins.agree("full")
    assert await twins.agree("versions") == ("pets" in statement)


@pytest.mark.parametrize(
    ("column", "value", "equal"), [("extra", "'{\"n\": 1}'", "'{\"n\": 1.0}'"), ("weight", "'0'", "'-0'")]
)
async def test_what_compares_as_equal_is_not_the_same(
    twins: Twins, column: str, value: str, equal: str
) -> None:
    """Rows are hashed as they are stored: PostgreSQL's own idea of equal numbers plays no part."""
    await twins.by_hand(f"update people set {column} = {value} where id = '{KEY}'")
    before = await twins.other.condense(PEOPLE, EVERYTHING, "full")
    await twins.by_hand(f"update people set {column} = {equal} where id = '{KEY}'")
    assert await twins.other.condense(PEOPLE, EVERYTHING, "full") != before


async def test_a_range_says_nothing_of_what_lies_beside_it(twins: Twins) -> None:
    """Its ends are those of a scan: the first is outside, the last inside."""
    keys = sorted(record.key for record in RECORDS)
    at = keys.index(KEY)
    before, upto = KeyRange(None, keys[at - 1] if at else ""), KeyRange(keys[at - 1] if at else None, KEY)
    after = KeyRange(KEY, None)
    await twins.by_hand(f"update people set name = name || 'x' where id = '{KEY}'")
    await twins.by_hand(f"update pets set name = name || 'x' where person_id = '{KEY}'")
    assert [await twins.agree(key_range=each) for each in (upto, after)] == [False, True]
    assert not at or await twins.agree(key_range=before)


async def test_other_columns_are_another_form(twins: Twins) -> None:
    """A release that maps a kind otherwise does not mistake the rows of another one for its own."""
    exchanged = {"email": "name", "name": "email"}
    columns = {exchanged.get(name, name): column for name, column in PEOPLE_MAPPING.columns.items()}
    assert list(columns.values()) == list(PEOPLE_MAPPING.columns.values())
    store = PostgresStore(twins.other_url, [msgspec.structs.replace(PEOPLE_MAPPING, columns=columns)])
    await store.open()
    otherwise = await store.condense(PEOPLE, EVERYTHING, "full")
    await store.close()
    assert otherwise.form != (await twins.other.condense(PEOPLE, EVERYTHING, "full")).form


async def test_what_differs_can_be_told_record_by_record(twins: Twins) -> None:
    """Exactly those records stand out of which any row differs, or that are on one side alone."""

    async def differing() -> set[str]:
        each = [await store.condense_each(PEOPLE, EVERYTHING) for store in (twins.one, twins.other)]
        return {key for key, _ in each[0].items() ^ each[1].items()}

    assert await differing() == set()
    await twins.by_hand(f"update pets set name = name || 'x' where person_id = '{KEY}'")
    await twins.by_hand(f"delete from manystore.tombstones where key = '{GONE}'")
    await twins.by_hand(f"insert into people (id, version) values ('{key_of(99)}', 3)")
    assert await differing() == {KEY, GONE, key_of(99)}


# -- in a verification ------------------------------------------------------------------------------------


@pytest.fixture
async def moved(sample_database: str, sample_twin: str, tmp_path: Path) -> AsyncIterator[tuple[Scene, Twins]]:
    """A move between two databases that is to be verified."""
    async with _twins((sample_database, sample_twin)) as made:
        scene = Scene(made.one, made.other, tmp_path)
        await adopt(made.one, 20)
        await scene.do(Action.START)
        yield scene, made


def _forms(scene: Scene) -> set[str]:
    certificate = scene.folder.newest("people")
    assert certificate is not None
    assert certificate.records == 20
    return {proof.form for proof in certificate.ranges}


async def test_a_certificate_of_condensed_ranges_can_be_checked_again(moved: tuple[Scene, Twins]) -> None:
    """It holds until somebody changes a byte, which is then found and named."""
    scene, twins = moved
    assert (await scene.do(Action.VERIFY))["differences"] == 0
    assert BY_RECORD not in _forms(scene)
    assert (await scene.do(Action.RECHECK))["holds"]
    changed = moving.person(1).id
    await twins.by_hand(f"update people set name = 'Qerson' where id = '{changed}'")
    found = await scene.do(Action.RECHECK)
    assert (found["holds"], found["samples"]) == (False, [f"{changed} differing in name"])


class Unread(PostgresStore):
    """A store of which nobody may read whole ranges."""

    async def scan(self, kind: Kind, key_range: KeyRange, limit: int) -> list[Record]:
        raise AssertionError("it was read")


async def test_what_differs_is_found_without_reading_the_rest(moved: tuple[Scene, Twins]) -> None:
    """Only the records of which the stores say different things are looked at; there is no certificate."""
    scene, twins = moved
    one, other = moving.person(1).id, moving.person(2).id
    await twins.by_hand(f"update people set name = 'Qerson' where id = '{one}'")
    await twins.by_hand(f"delete from people where id = '{other}'")
    unread = Unread(twins.one_url, MAPPINGS, "one")
    await unread.open()
    again = Scene(unread, scene.target, scene.folder.folder)
    found = await again.do(Action.VERIFY)
    await unread.close()
    assert found["samples"] == sorted([f"{one} differing in name", f"{other} missing"])
    assert (found["certificate"], found["compared"]) == (None, 20)


async def test_rows_that_differ_may_be_the_same_record(moved: tuple[Scene, Twins]) -> None:
    """Then the records are met one by one, agree, and are certified so; and checked again in the same way."""
    scene, twins = moved
    await twins.by_hand("update people set residue = residue || ' '")
    assert not await twins.agree()
    assert (await scene.do(Action.VERIFY))["differences"] == 0
    assert _forms(scene) == {BY_RECORD}
    await twins.by_hand("update people set residue = rtrim(residue)")
    assert await twins.agree()
    assert (await scene.do(Action.RECHECK))["holds"]


class Speaking(MemoryStore):
    """A store that says of every range what the test wants."""

    says: Condensed | None = None

    async def condense(self, kind: object, key_range: KeyRange, depth: Depth) -> Condensed:
        if self.says is None:
            raise UnavailableError(subject=self.name, reason="it was asked for too much")
        return self.says

    async def condense_each(self, kind: object, key_range: KeyRange) -> dict[str, int]:
        raise UnavailableError(subject=self.name, reason="it was asked for too much")


async def test_stores_that_cannot_say_are_read(tmp_path: Path) -> None:
    """One that gives no answer in time, or says the same in another form, is compared record by record."""
    source, target = Speaking("one"), Speaking("other")
    for store in (source, target):
        await store.open()
    scene = Scene(source, target, tmp_path)
    await adopt(source, 20)
    await scene.do(Action.START)
    assert (await scene.do(Action.VERIFY))["differences"] == 0
    assert _forms(scene) == {BY_RECORD}
    source.says, target.says = Condensed("a", 20, b"same"), Condensed("b", 20, b"same")
    assert (await scene.do(Action.VERIFY))["differences"] == 0
    assert _forms(scene) == {BY_RECORD}
    target.says = source.says
    assert (await scene.do(Action.VERIFY))["differences"] == 0
    assert _forms(scene) == {"a"}
    target.says = Condensed("a", 20, b"another")
    assert (await scene.do(Action.VERIFY))["differences"] == 0
    assert _forms(scene) == {BY_RECORD}
