"""The embedded document store keeps every promise, with another handle on the file as another process has."""

import asyncio
import itertools
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from manystore.changes import START
from manystore.errors import (
    InvalidRecordError,
    StaleEpochError,
    UnavailableError,
    UniqueError,
    VersionConflictError,
)
from manystore.paging import page_of
from manystore.records import Content, Kind, Record
from manystore.specifications import Ascending, Compare, Descending, Operator, Specification, field
from manystore.stores.sqlite import SqliteStore, schema
from manystore.stores.sqlite.queries import compile_specification, install_functions, rank
from manystore.stores.store import Applied, KeyRange, Note, Store
from manystore.testing.contract import FormerContract, StoreContract
from manystore.testing.contract.terms import admit
from manystore.testing.samples import LETTERS, PEOPLE, WORDS, key_of, letter, person, word
from tests.contract.sqlite_by_hand import by_hand, write_by_hand


class TestSqlite(StoreContract, FormerContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        store = SqliteStore(tmp_path / "documents.db")
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def second(self, store: Store, tmp_path: Path) -> AsyncIterator[Store]:
        second = SqliteStore(tmp_path / "documents.db", name="second")
        await second.open()
        yield second
        await second.close()

    async def leave(self, store: Store, kind: Kind, contents: Sequence[Content]) -> None:
        assert isinstance(store, SqliteStore)
        assert await store.adopt(kind, contents) == len(contents)

    async def behind(self, store: Store, kind: Kind, key: str, content: Content | None) -> None:
        assert isinstance(store, SqliteStore)
        with by_hand(store.path) as connection:
            write_by_hand(connection, kind, key, content)


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "documents.db")
    await store.open()
    yield store
    await store.close()


async def test_adopted_data_is_version_zero_and_not_logged(documents: SqliteStore) -> None:
    """Old data comes in without a fence and without a change, only where nothing is yet."""
    await documents.apply(PEOPLE, [Record(key_of(1), 4, person(1, name="newer"))])
    assert await documents.adopt(PEOPLE, map(person, range(2_500))) == 2_499
    assert await documents.adopt(PEOPLE, map(person, range(10))) == 0
    assert await documents.get(PEOPLE, key_of(1)) == Record(key_of(1), 4, person(1, name="newer"))
    assert await documents.get(PEOPLE, key_of(2_499)) == Record(key_of(2_499), 0, person(2_499))
    assert await documents.count(PEOPLE) == 2_500
    assert await documents.head(PEOPLE) == START


async def test_adopted_data_is_checked(documents: SqliteStore) -> None:
    """Old data that can be no record is refused by name; the same key twice in one batch is one record."""
    with pytest.raises(InvalidRecordError):
        await documents.adopt(PEOPLE, [person(1), person(2, weight=float("nan"))])
    assert await documents.adopt(PEOPLE, [person(3), person(3, name="again")]) == 1
    assert await documents.get(PEOPLE, key_of(3)) == Record(key_of(3), 0, person(3))


async def test_adopted_twins_can_change_but_not_be_joined(documents: SqliteStore) -> None:
    """Records that shared a value before go on with it; a third cannot take it until both gave it up."""
    await admit(documents, PEOPLE)
    one, two, three = key_of(1), key_of(2), key_of(3)
    await documents.adopt(PEOPLE, [person(1, email="A@b.org"), person(2, email="a@B.org"), person(3)])
    await documents.put(PEOPLE, two, person(2, email="a@b.org", name="changed"), expected=0, epoch=1)
    assert await documents.apply(PEOPLE, [Record(one, 5, person(1, email="a@b.org"))]) == [Applied()]
    with pytest.raises(UniqueError):
        await documents.put(PEOPLE, three, person(3, email="a@b.org"), expected=0, epoch=1)
    await documents.put(PEOPLE, two, person(2, email="other@b.org"), expected=1, epoch=1)
    with pytest.raises(UniqueError):
        await documents.put(PEOPLE, two, person(2, email="a@b.org"), expected=2, epoch=1)
    with pytest.raises(UniqueError):
        await documents.put(PEOPLE, three, person(3, email="a@b.org"), expected=0, epoch=1)
    await documents.delete(PEOPLE, one, expected=5, epoch=1)
    await documents.put(PEOPLE, three, person(3, email="a@b.org"), expected=0, epoch=1)


async def test_adopted_twins_are_both_found(documents: SqliteStore) -> None:
    """A search by a unique value shows all who have it, though there should be one."""
    await documents.adopt(PEOPLE, [person(1, email="A@b.org"), person(2, email="a@B.org"), person(3)])
    where = field("email").equals_ignoring_case("a@b.org")
    page = await documents.find(PEOPLE, Specification(where=where))
    assert {record.key for record in page.records} == {key_of(1), key_of(2)}
    exact = await documents.find(PEOPLE, Specification(where=field("email") == "A@b.org"))
    assert [record.key for record in exact.records] == [key_of(1)]


async def test_new_declaration_covers_what_was_written_before(tmp_path: Path) -> None:
    """A kind that gains a unique field, or spreads by another, finds its former records by them."""
    plain = structs.replace(PEOPLE, uniques=())
    former = SqliteStore(tmp_path / "documents.db")
    await former.open()
    await former.adopt(plain, map(person, range(2_100)))
    await former.close()

    spread = structs.replace(PEOPLE, partition_key="name")
    later = SqliteStore(tmp_path / "documents.db")
    await later.open()
    await admit(later, spread)
    for where in (field("email") == "person2099@example.org", field("name") == "Person 2099"):
        page = await later.find(spread, Specification(where=where))
        assert [record.key for record in page.records] == [key_of(2_099)]
    with pytest.raises(UniqueError):
        await later.put(spread, key_of(5), person(5, email="PERSON2099@example.org"), expected=0, epoch=1)
    await later.close()


async def test_letters_of_a_person_are_found_by_partition(documents: SqliteStore) -> None:
    """Equality on the partition key finds exactly the records that have it, also after they moved."""
    await admit(documents, LETTERS)
    for number in range(6):
        await documents.put(LETTERS, key_of(number), letter(number, number % 2), expected=None, epoch=1)
    await documents.put(LETTERS, key_of(0), letter(0, 1), expected=1, epoch=1)
    await documents.delete(LETTERS, key_of(1), expected=1, epoch=1)
    for person_number, letters in ((0, {2, 4}), (1, {0, 3, 5}), (7, set[int]())):
        where = field("personId") == key_of(person_number)
        page = await documents.find(LETTERS, Specification(where=where))
        assert {record.key for record in page.records} == {key_of(number) for number in letters}


# Few and alike, so that values often differ only in what SQLite would not see.
_ODD_TEXT = st.sampled_from(
    ["", "a", "a\x00", "a\x00b", "\ud800", "\ud800\x00", "\udfff", "\ufb00", "😀", "\\"]
)
_NUMBERS = st.sampled_from([0, 1, 2**53, 2**53 + 1, 2**63, 2**63 + 1, 2**64, -(2**70), 10**400, -(10**400)])
_ODD = st.lists(
    st.fixed_dictionaries({"name": _ODD_TEXT, "visits": _NUMBERS, "weight": _NUMBERS}), max_size=8
)


@given(
    odd=_ODD,
    where=st.sampled_from(["<", "==", ">="]),
    text=_ODD_TEXT,
    order=st.sampled_from(["name", "visits", "weight"]),
    limit=st.integers(1, 4),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_odd_values_are_found_and_sorted_as_in_memory(
    documents: SqliteStore, odd: list[Content], where: Operator, text: str, order: str, limit: int
) -> None:
    """NUL, lone surrogates and integers of any size compare as in memory, where SQLite alone would not."""
    held = {record.key: record for record in await documents.scan(PEOPLE, KeyRange(), 100)}
    records = [
        Record(key_of(n), held[key_of(n)].version + 1 if key_of(n) in held else 1, person(n) | content)
        for n, content in enumerate(odd)
    ]
    gone = [Record(key, each.version + 1, None) for key, each in held.items() if each.content is not None]
    await documents.apply(PEOPLE, records + gone)
    predicate = Compare("name", where, text)
    for direction in (Ascending(order), Descending(order)):
        whole = Specification(where=predicate, order=(direction,), limit=1_000)
        expected, found = page_of(PEOPLE, whole, records).records, list[Record]()
        specification = structs.replace(whole, limit=limit)
        while True:
            page = await documents.find(PEOPLE, specification)
            found += page.records
            assert len(found) <= len(records), "the pages have no end"
            if page.continuation is None:
                break
            specification = structs.replace(specification, continuation=page.continuation)
        assert [record.key for record in found] == [record.key for record in expected]


@given(
    st.lists(
        st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _NUMBERS, min_size=2, max_size=9
    )
)
def test_rank_orders_numbers_as_python_does(numbers: list[int | float]) -> None:
    """The bytes by which numbers are sorted are equal and ordered exactly as the numbers are."""
    for one, other in itertools.product(numbers, numbers):
        assert (rank(one) < rank(other)) == (one < other)
        assert (rank(one) == rank(other)) == (one == other)


async def test_refused_write_does_not_disturb_those_it_is_committed_with(documents: SqliteStore) -> None:
    """Of writes that share a transaction, each has its own fate."""
    await admit(documents, PEOPLE)
    await documents.put(PEOPLE, key_of(0), person(0), expected=None, epoch=1)
    puts = [
        documents.put(
            PEOPLE, key_of(n), person(n, email=f"p{n // 2}@b.org"), expected=None, epoch=1 + n % 3 // 2
        )
        for n in range(40)
    ]
    results = await asyncio.gather(*puts, return_exceptions=True)
    kinds = {type(result) for result in results}
    assert kinds == {Record, VersionConflictError, UniqueError, StaleEpochError}
    written = {result.key: result for result in results if isinstance(result, Record)}
    held = {record.key: record for record in await documents.scan(PEOPLE, KeyRange(), 100)}
    assert held == {key_of(0): Record(key_of(0), 1, person(0))} | written


async def test_batch_that_cannot_be_finished_leaves_nothing(documents: SqliteStore) -> None:
    """A batch whose note cannot be stored takes its records with it, but not the writes beside it."""
    await admit(documents, WORDS)
    unspeakable = Note(name="\ud800", value=b"", revision=0)
    torn, whole = await asyncio.gather(
        documents.apply(WORDS, [Record("torn", 1, word("torn"))], note=unspeakable),
        documents.put(WORDS, "whole", word("whole"), expected=None, epoch=1),
        return_exceptions=True,
    )
    assert isinstance(torn, UnicodeEncodeError)
    assert await documents.scan(WORDS, KeyRange(), 10) == [whole]


async def test_cancelled_caller_leaves_the_store_at_work(documents: SqliteStore) -> None:
    """A write whose caller went away is done or not done; the ones after it are not held up."""
    await admit(documents, WORDS)
    tasks = [
        asyncio.create_task(documents.put(WORDS, f"w{n}", word(f"w{n}"), expected=None, epoch=1))
        for n in range(50)
    ]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.wait(tasks)
    written = {record.key for record in await documents.scan(WORDS, KeyRange(), 100)}
    assert {f"w{n}" for n in range(1, 50, 2)} <= written


async def test_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    """A missing folder, a folder, a file of something else: each is one typed error with the path."""
    (tmp_path / "text.db").write_text("this is not a database, and long enough to be sure of it" * 20)
    for path in (tmp_path / "absent" / "documents.db", tmp_path, tmp_path / "text.db"):
        store = SqliteStore(path)
        with pytest.raises(UnavailableError, match=re.escape(str(path))):
            await store.open()
        with pytest.raises(UnavailableError):
            await store.get(PEOPLE, key_of(1))
        await store.close()


async def test_children_of_a_parent_are_found_by_an_index(documents: SqliteStore) -> None:
    """No scan of the kind, whatever else is asked for; a body that SQLite cannot read is found as well."""
    notes = structs.replace(LETTERS, name="notes", partition_key="id")
    await admit(documents, notes)
    for number, parent in ((11, 1), (12, 2), (13, 1)):
        content = letter(number, parent, text="\x00" if number == 13 else "plain")
        await documents.put(notes, key_of(number), content, expected=None, epoch=1)
    of_one = Specification(where=field("personId") == key_of(1))
    found = (await documents.find(notes, of_one)).records
    assert {record.key for record in found} == {key_of(11), key_of(13)}
    plans = [_plan(documents, notes, Specification(where=of_one.where & (field("text") != "")))]
    plans.append(_plan(documents, notes, Specification(where=of_one.where, order=(Descending("text"),))))
    for plan in plans:
        assert sum("children_notes_personId" in step for step in plan) == 2, plan
        assert not any(step.startswith("SCAN documents") for step in plan), plan
        assert any("(kind=? AND key=?)" in step for step in plan), plan


async def test_another_s_body_is_refused_for_what_it_is_although_an_index_reads_it(
    documents: SqliteStore,
) -> None:
    """The index of a parent field does not stand between a person and the sentence that helps."""
    notes = structs.replace(LETTERS, name="notes", partition_key="id")
    await documents.find(notes, Specification())
    with by_hand(documents.path) as connection, pytest.raises(sqlite3.IntegrityError, match="must be a JSON"):
        connection.execute("insert into documents values ('notes', 'a', 1, '{no json', 0, null)")


def _plan(documents: SqliteStore, kind: Kind, specification: Specification) -> list[str]:
    query = compile_specification(kind, specification)
    with closing(sqlite3.connect(documents.path)) as connection:
        install_functions(connection)
        for name in ("holds", "sort_value"):
            connection.create_function(name, 3, lambda *_: None, deterministic=True)
        rows = connection.execute(f"explain query plan {query.text}", query.parameters).fetchall()
    return [row[3] for row in rows]


@pytest.mark.parametrize("script", ["pragma user_version = 99", "create table invoices (number integer)"])
async def test_file_of_another_program_is_left_alone(tmp_path: Path, script: str) -> None:
    """A database with a schema that this program does not know is refused, and not changed by a byte."""
    path = tmp_path / "documents.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    before = path.read_bytes()
    with pytest.raises(UnavailableError, match="knows only"):
        await SqliteStore(path).open()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


async def test_lock_that_is_not_given_up_is_unavailable(
    documents: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers wait for another process's lock only so long; readers do not wait at all."""
    await admit(documents, PEOPLE)
    await documents.put(PEOPLE, key_of(1), person(1), expected=None, epoch=1)
    monkeypatch.setattr(schema, "PATIENCE", 0.05)
    with closing(sqlite3.connect(tmp_path / "documents.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(UnavailableError, match="locked"):
            await documents.put(PEOPLE, key_of(2), person(2), expected=None, epoch=1)
        assert await documents.get(PEOPLE, key_of(1)) == Record(key_of(1), 1, person(1))
        other.execute("rollback")
    await documents.put(PEOPLE, key_of(2), person(2), expected=None, epoch=1)


async def test_full_disk_is_unavailable_and_passes(documents: SqliteStore) -> None:
    """A write for which there is no room is refused whole, and the store goes on once there is room."""
    await admit(documents, WORDS)

    def set_pages(count: int) -> Callable[[sqlite3.Connection], object]:
        return lambda connection: connection.execute(f"pragma max_page_count = {count}").fetchone()

    await documents._writer.do(set_pages(1))
    large = word("large", meaning="x" * 1_000_000)
    with pytest.raises(UnavailableError, match="full"):
        await documents.put(WORDS, "large", large, expected=None, epoch=1)
    assert await documents.get(WORDS, "large") is None
    await documents._writer.do(set_pages(1_000_000))
    assert await documents.put(WORDS, "large", large, expected=None, epoch=1) == Record("large", 1, large)
