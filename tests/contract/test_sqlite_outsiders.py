"""What a person does to the file by hand: SQLite's own triggers see to it, and search finds it."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from manystore.changes import Change
from manystore.errors import UniqueError
from manystore.records import Content, Record
from manystore.specifications import Specification, field
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import Applied, Diverged, Fence, Ignored, KeyRange
from manystore.testing.contract.terms import admit, fill, newest, read_log
from manystore.testing.samples import LETTERS, PEOPLE, WORDS, key_of, letter, person, word
from tests.contract.sqlite_by_hand import by_hand, write_by_hand

KEY = key_of(1)


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "documents.db")
    await store.open()
    await admit(store, PEOPLE, LETTERS)
    yield store
    await store.close()


@pytest.fixture
async def hand(documents: SqliteStore) -> AsyncIterator[sqlite3.Connection]:
    with by_hand(documents.path) as connection:
        yield connection


async def find_keys(documents: SqliteStore, **equal: str) -> set[str]:
    """The people who have these values."""
    ((name, value),) = equal.items()
    page = await documents.find(PEOPLE, Specification(where=field(name) == value))
    return {record.key for record in page.records}


async def test_rows_are_captured_however_they_come(documents: SqliteStore, hand: sqlite3.Connection) -> None:
    """Replaced, merged, copied with a version of their own: each is one version above the record's last."""
    await fill(documents, WORDS, [word("a")], version=7)
    body = json.dumps(word("a", meaning="by hand"))
    columns = "(kind, key, version, body, escaped, partition)"
    values = "values ('words', 'a', {version}, ?, 1, 'x')"
    hand.execute(f"insert or replace into documents {columns} {values.format(version=900)}", (body,))
    assert await documents.get(WORDS, "a") == Record("a", 8, word("a", meaning="by hand"))
    merge = "on conflict (kind, key) do update set body = excluded.body, version = 3"
    hand.execute(f"insert into documents {columns} {values.format(version=1)} {merge}", ('{"id": "a"}',))
    assert await documents.get(WORDS, "a") == Record("a", 9, {"id": "a"})
    hand.execute("update documents set body = ?, version = -5, escaped = 'no' where key = 'a'", (body,))
    assert await documents.get(WORDS, "a") == Record("a", 10, word("a", meaning="by hand"))
    hand.execute("update documents set body = null where key = 'a'")
    assert await documents.get(WORDS, "a") == Record("a", 11, None)
    hand.execute(f"insert or replace into documents {columns} {values.format(version=0)}", (body,))
    assert await documents.get(WORDS, "a") == Record("a", 12, word("a", meaning="by hand"))
    hand.execute(f"insert or ignore into documents {columns} {values.format(version=0)}", ('{"id": "a"}',))
    changes, _ = await read_log(documents, WORDS)
    assert changes == [Change("a", version) for version in range(8, 13)]


async def test_one_statement_over_many_rows_captures_each(
    documents: SqliteStore, hand: sqlite3.Connection
) -> None:
    """Rows whose body it changed have a new version; the others were not written, whatever else it set."""
    await fill(documents, WORDS, (word(f"w{n}", meaning="old" if n % 2 else "new") for n in range(10)))
    hand.execute("update documents set body = replace(body, 'old', 'new'), version = 50, partition = 'x'")
    found = await documents.scan(WORDS, KeyRange(), 100)
    assert found == [Record(f"w{n}", 1 + n % 2, word(f"w{n}", meaning="new")) for n in range(10)]
    assert newest((await read_log(documents, WORDS))[0]) == {f"w{n}": 2 for n in range(1, 10, 2)}
    hand.execute("delete from documents")
    assert await documents.count(WORDS) == 0
    assert newest((await read_log(documents, WORDS))[0]) == {f"w{n}": 2 + n % 2 for n in range(10)}


async def test_tombstone_cannot_be_deleted(documents: SqliteStore, hand: sqlite3.Connection) -> None:
    """It stays with its version, and so does what it is for: an older record does not come back."""
    await documents.apply(WORDS, [Record("a", 5, None)])
    hand.execute("delete from documents where body is null")
    assert await documents.apply(WORDS, [Record("a", 4, word("a"))]) == [Ignored(5)]
    assert (await read_log(documents, WORDS))[0] == []


@pytest.mark.parametrize(
    "body",
    [
        "not JSON",
        "[1]",
        '"a"',
        b'{"id": "a"}',
        "{}",
        '{"id": "b"}',
        '{"id": 7}',
        '{"id": "b", "id": "a"}',
        '{"id": "a", "weight": NaN}',
        '{"id": "a", "weights": [1, {"of": 1e400}]}',
        '{"id": "a", "weight": -1e400}',
    ],
)
async def test_body_that_is_no_record_is_refused(
    documents: SqliteStore, hand: sqlite3.Connection, body: str | bytes
) -> None:
    """SQLite says so to whoever writes it, and nothing was written."""
    insert = "insert into documents (kind, key, version, body, escaped) values ('words', 'a', 0, ?, 0)"
    with pytest.raises(sqlite3.DatabaseError):
        hand.execute(insert, (body,))
    await fill(documents, WORDS, [word("a")])
    with pytest.raises(sqlite3.DatabaseError):
        hand.execute("update documents set body = ? where key = 'a'", (body,))
    assert await documents.scan(WORDS, KeyRange(), 10) == [Record("a", 1, word("a"))]
    assert (await read_log(documents, WORDS))[0] == []
    assert hand.execute("select is_open from gate").fetchall() == [(0,)]


async def test_document_keeps_its_key(documents: SqliteStore, hand: sqlite3.Connection) -> None:
    """A row cannot be renamed or change its kind: its tombstone would be nowhere."""
    await fill(documents, WORDS, [word("a")])
    for statement in (
        "update documents set key = 'b'",
        "update documents set key = 'b', body = '{\"id\": \"b\"}'",
        "update documents set kind = 'others'",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="keeps its kind and its key"):
            hand.execute(statement)
    assert await documents.scan(WORDS, KeyRange(), 10) == [Record("a", 1, word("a"))]


async def test_changed_values_are_found(documents: SqliteStore, hand: sqlite3.Connection) -> None:
    """Who looks for the value that was written by hand finds it; the former one is found no more."""
    await documents.put(PEOPLE, KEY, person(1, email="former@b.org"), expected=None, epoch=1)
    write_by_hand(hand, PEOPLE, KEY, person(1, email="Present@b.org"))
    write_by_hand(hand, PEOPLE, KEY, person(1, email="latest@b.org", name="a\x00b"))
    write_by_hand(hand, PEOPLE, key_of(2), person(2, email="made@b.org"))
    assert await find_keys(documents, email="latest@b.org") == {KEY}
    assert await find_keys(documents, name="a\x00b") == {KEY}
    assert await find_keys(documents, email="made@b.org") == {key_of(2)}
    for gone in ("former@b.org", "Present@b.org"):
        assert await find_keys(documents, email=gone) == set()
    write_by_hand(hand, PEOPLE, KEY, None)
    assert await find_keys(documents, email="latest@b.org") == set()


async def test_changed_places_are_found(documents: SqliteStore, hand: sqlite3.Connection) -> None:
    """A letter that was given to somebody else by hand is found there, and not where it was."""
    await documents.put(LETTERS, key_of(5), letter(5, 1), expected=None, epoch=1)
    write_by_hand(hand, LETTERS, key_of(5), letter(5, 2))
    write_by_hand(hand, LETTERS, key_of(6), letter(6, 2))
    for owner, letters in ((1, set[str]()), (2, {key_of(5), key_of(6)})):
        where = field("personId") == key_of(owner)
        page = await documents.find(LETTERS, Specification(where=where))
        assert {record.key for record in page.records} == letters


async def test_values_written_by_hand_are_taken(documents: SqliteStore, hand: sqlite3.Connection) -> None:
    """What was taken by hand is refused to others, what was given up is free, for puts and for applies."""
    await documents.put(PEOPLE, KEY, person(1, email="former@b.org"), expected=None, epoch=1)
    write_by_hand(hand, PEOPLE, KEY, person(1, email="present@b.org"))
    with pytest.raises(UniqueError):
        await documents.put(PEOPLE, key_of(2), person(2, email="Present@b.org"), expected=None, epoch=1)
    await documents.put(PEOPLE, key_of(2), person(2, email="former@b.org"), expected=None, epoch=1)
    write_by_hand(hand, PEOPLE, key_of(2), None)
    outcomes = await documents.apply(PEOPLE, [Record(key_of(3), 1, person(3, email="former@b.org"))])
    assert outcomes == [Applied()]


async def test_spelling_by_hand_is_no_difference(documents: SqliteStore, hand: sqlite3.Connection) -> None:
    """Spaces, escapes and the order of names, as a hand writes them, do not make another content."""
    body = '{ "meaning" : "\\u00e9\\/", "x": 1, "x": 1.0,\n "id": "a" }'
    hand.execute("insert into documents values ('words', 'a', 0, ?, 0, null)", (body,))
    content: Content = {"id": "a", "meaning": "é/", "x": 1.0}
    assert await documents.apply(WORDS, [Record("a", 1, content)]) == [Ignored(1)]
    assert await documents.apply(WORDS, [Record("a", 1, content | {"x": 1})]) == [Diverged(1)]


async def test_new_declaration_covers_what_was_written_by_hand(
    documents: SqliteStore, hand: sqlite3.Connection
) -> None:
    """A kind that is declared anew meanwhile finds rows as they are, not as they were."""
    plain = structs.replace(PEOPLE, uniques=())
    await documents.put(plain, KEY, person(1, email="former@b.org"), expected=None, epoch=1)
    write_by_hand(hand, PEOPLE, KEY, person(1, email="present@b.org"))
    assert await find_keys(documents, email="present@b.org") == {KEY}
    write_by_hand(hand, PEOPLE, KEY, person(1, email="latest@b.org"))
    assert await find_keys(documents, email="latest@b.org") == {KEY}


async def test_each_rogue_write_is_kept_though_nobody_looks(
    documents: SqliteStore, hand: sqlite3.Connection
) -> None:
    """Inserted, changed, changed, deleted, within one transaction: four rogue writes, and no change."""
    assert await documents.raise_fence(WORDS, Fence(epoch=1, admits=False), expected=None)
    hand.execute("begin")
    for content in (word("a"), word("a", meaning="é"), word("a", meaning="b"), None):
        write_by_hand(hand, WORDS, "a", content)
    hand.execute("commit")
    rogues = await documents.rogue_writes(WORDS)
    assert [(rogue.version, json.loads(rogue.evidence)) for rogue in rogues] == [
        (1, word("a")),
        (2, word("a", meaning="é")),
        (3, word("a", meaning="b")),
        (4, None),
    ]
    assert (await read_log(documents, WORDS))[0] == []


async def test_gate_is_open_to_the_engine_alone(documents: SqliteStore, hand: sqlite3.Connection) -> None:
    """While the engine's transaction has it open, another connection sees it shut, and so it is after it."""

    def look(connection: sqlite3.Connection) -> list[tuple[int]]:
        with by_hand(documents.path) as other:
            (theirs,) = other.execute("select is_open from gate").fetchone()
        return [(theirs,), *connection.execute("select is_open from gate")]

    assert await documents._writer.do(look) == [(0,), (1,)]
    assert hand.execute("select is_open from gate").fetchall() == [(0,)]


async def test_file_of_the_former_schema_learns_to_watch(tmp_path: Path) -> None:
    """A file from before outsiders were watched is watched once it was opened; its records stay."""
    store = SqliteStore(tmp_path / "documents.db")
    await store.open()
    await fill(store, WORDS, [word("a")], version=3)
    await store.close()
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        for kind in ("trigger", "table"):
            query = "select name from sqlite_master where type = ? and sql like '%gate%'"
            for (name,) in connection.execute(query, (kind,)).fetchall():
                connection.execute(f"drop {kind} {name}")
        for name in ("unsettled", "rogue_writes"):
            connection.execute(f"drop table {name}")
        connection.execute("pragma user_version = 1")
        connection.execute("update documents set body = ?", (json.dumps(word("a", meaning="unseen")),))
    await store.open()
    assert await store.get(WORDS, "a") == Record("a", 3, word("a", meaning="unseen"))
    with by_hand(store.path) as hand:
        write_by_hand(hand, WORDS, "a", word("a"))
    assert await store.get(WORDS, "a") == Record("a", 4, word("a"))
    await store.close()
