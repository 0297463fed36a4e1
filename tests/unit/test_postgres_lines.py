"""Many records as text of COPY: the very lines that one by one would come to, or none at all."""

import datetime as dt
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from manystore.errors import InvalidRecordError, NotRepresentableError
from manystore.records import Content, Kind, Record, find_unspeakable
from manystore.stores.postgres.codec import Codec, Lines
from manystore.stores.postgres.spelling import spelled, uuids
from manystore.testing.samples import awkward_people, key_of, person
from mystira.schema.mappings.people import ACCOUNTS_MAPPING, USER_PROFILES_MAPPING
from mystira.simulation.people import make_former_accounts, make_profile
from tests.contract.postgres_tables import GADGETS_MAPPING, PEOPLE_MAPPING
from tests.contract.postgres_values import GADGETS_CONTENTS, PEOPLE_CONTENTS

PEOPLE_CODEC, GADGETS_CODEC = Codec(PEOPLE_MAPPING), Codec(GADGETS_MAPPING)


def keyed(kind: Kind, contents: list[Content]) -> list[Record]:
    """The contents as records of different keys."""
    has_uuids = kind.name == "people"
    keys = [key_of(number) if has_uuids else f"g\t\\{number}" for number in range(len(contents))]
    return [Record(key, 3, content | {"id": key}) for key, content in zip(keys, contents, strict=True)]


def one_by_one(codec: Codec, record: Record) -> Lines | None:
    """The lines of the rows that the codec makes of a record; None where it refuses."""
    try:
        return codec.lines(codec.encode(record.key, record.content or {}), record.version)
    except NotRepresentableError:
        return None


def assert_alike(codec: Codec, records: list[Record]) -> None:
    """Each record's lines are those that it has alone, and a refused record has none."""
    for record, lines in zip(records, codec.spell(records), strict=True):
        if lines is not None:
            expected = one_by_one(codec, record)
            assert expected is not None
            assert (lines.key, lines.root, [*lines.parts]) == (expected.key, expected.root, [*expected.parts])


@given(st.lists(PEOPLE_CONTENTS, max_size=12))
@example([*awkward_people().values()])
@settings(max_examples=150, deadline=None)
def test_people_together_have_the_lines_that_each_has_alone(contents: list[Content]) -> None:
    """Whatever values meet in a batch, none changes what is written of another."""
    assert_alike(PEOPLE_CODEC, keyed(PEOPLE_MAPPING.kind, contents))


@given(st.lists(GADGETS_CONTENTS, max_size=12))
@settings(max_examples=150, deadline=None)
def test_gadgets_together_have_the_lines_that_each_has_alone(contents: list[Content]) -> None:
    """The same for jsonb, defaults and items, under keys that COPY would take for several columns."""
    assert_alike(GADGETS_CODEC, keyed(GADGETS_MAPPING.kind, contents))


def test_real_records_need_no_second_look() -> None:
    """All accounts and profiles as old systems have them get their lines together, the same as alone."""
    random = Random(1)
    accounts = list(make_former_accounts(random, 400))
    profiles = [make_profile(random, account["id"]) for account in accounts]
    for mapping, contents in ((ACCOUNTS_MAPPING, accounts), (USER_PROFILES_MAPPING, profiles)):
        codec, records = Codec(mapping), [Record(content["id"], 0, content) for content in contents]
        assert None not in codec.spell(records)
        assert_alike(codec, records)


@pytest.mark.parametrize(
    "value",
    [float("nan"), "\ud83d\ude00", 10**5000, b"bytes", dt.date(2024, 1, 1), {1: "one"}, [{"deep": {1}}]],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("codec", [PEOPLE_CODEC, GADGETS_CODEC], ids=["people", "gadgets"])
def test_what_json_cannot_say_gets_no_lines(codec: Codec, value: Any) -> None:
    """Such a value, wherever it stands, fails, or is left to who encodes it alone."""
    for field in [*codec.mapping.kind.fields, None]:
        inner = field.fields if field else ()
        name = field.name if field else "undeclared"
        for misplaced in (value, [value], *({each.name: value} for each in inner)):
            record = Record(key_of(1), 1, {"id": key_of(1), "name": "A", name: misplaced})
            if find_unspeakable(record.content) is None:
                continue
            with suppress(ValueError, TypeError, InvalidRecordError):
                assert codec.spell([record]) == [None]


def test_a_record_under_another_key_is_no_record() -> None:
    """A content that says another id than the record's key is called what it is."""
    with pytest.raises(InvalidRecordError):
        PEOPLE_CODEC.spell([Record(key_of(0), 1, person(0)), Record(key_of(1), 1, person(2))])


def test_values_are_spelled_as_copy_reads_them() -> None:
    """Tabs, ends of lines and backslashes are escaped, also within lists; nothing is no empty text."""
    values = [None, "", "a\tb\nc\rd\\", True, False, 12, -0.0, ["a", 'b"\\'], []]
    expected = ["\\N", "", "a\\tb\\nc\\rd\\\\", "t", "f", "12", "-0.0", '{"a","b\\\\"\\\\\\\\"}', "{}"]
    assert [spelled(value) for value in values] == expected


@pytest.mark.parametrize("odd", [key_of(1).upper(), key_of(1)[:-1], f"{key_of(1)}\n{key_of(2)}", "", "é"])
def test_one_key_of_another_form_is_seen_among_many(odd: str) -> None:
    """UUIDs looked at together are not taken for well formed where one is not, or is two in one."""
    assert None not in uuids([key_of(1), key_of(2)])
    for keys in ([odd], [odd, ""], [key_of(3), odd], [odd, key_of(3)]):
        assert set(uuids(keys)) == {None}
