"""Every kind of Mystira, from documents into the real tables and back: the same bytes, or refused by name."""

import contextlib
from pathlib import Path
from random import Random
from typing import Any

import pytest

from manystore.errors import InvalidRecordError
from manystore.records import Content, Kind, Record, canonical, parse
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import Applied, Ignored, KeyRange
from manystore.testing.samples import WORDS, word
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.schema.mappings import MAPPINGS
from mystira.simulation.people import make_account, make_profile
from tests.acceptance.carrying import (
    PARENT,
    Pair,
    assert_refused,
    carried_url,
    carry,
    round_trip,
    stores,
    with_changes,
)
from tests.acceptance.carrying import sound as made_sound
from tests.acceptance.declared_values import GONE
from tests.acceptance.test_exactness_of_play import KINDS
from tests.contract import postgres_tables
from tests.contract.sqlite_by_hand import by_hand

__all__ = ["carried_url", "stores"]


def _sound_account(random: Random, number: int) -> Content:
    base = make_account(random, number)
    return base | {"email": f"a{number}@example.org", "externalUserId": f"sim|{number}"}


def _sound_profile(random: Random, number: int) -> Content:
    profile = make_profile(random, PARENT["id"])
    if not profile["earnedBadges"]:
        # So that whatever is done to badges is done to one at least.
        profile["earnedBadges"] = [
            {
                "id": profile["id"],
                "badgeConfigurationId": "lamp",
                "badgeName": "Lamp",
                "axis": "Courage",
                "earnedAt": "2024-01-01T00:00:00Z",
            }
        ]
    return profile


def sound(kind: Kind) -> Content:
    """A record of the kind that nothing is wrong with, unlike every other."""
    return made_sound(_sound_account if kind is ACCOUNTS else _sound_profile)


test_accounts_come_back_or_are_refused_by_name = round_trip(ACCOUNTS, _sound_account, examples=60)
test_profiles_come_back_or_are_refused_by_name = round_trip(USER_PROFILES, _sound_profile, examples=60)


def test_every_kind_has_its_round_trip() -> None:
    """A kind that gets tables gets a test above as well."""
    assert {mapping.kind for mapping in MAPPINGS} == {ACCOUNTS, USER_PROFILES, *KINDS}


A, P = ACCOUNTS, USER_PROFILES
EXACT: dict[str, tuple[Kind, dict[str, Any]]] = {
    "NUL in text": (A, {"displayName": "a\x00b", "settings.theme": "\x00", "\x00": {"\x00": ["\x00"]}}),
    "NUL in a list": (
        A,
        {"completedScenarioIds": ["\x00", "a"], "subscription.purchasedScenarios": ["\x00"]},
    ),
    "lone surrogates": (A, {"displayName": "\ud800", "subscription.tier": "\udfff", "k\ud800": "\udc00"}),
    "lone surrogates in a part": (P, {"earnedBadges.badgeName": "\ud800", "preferredThemes": ["\udfff"]}),
    "negative zero": (P, {"earnedBadges.triggerValue": -0.0, "zero": [-0.0, 0.0, 0]}),
    "negative zero in jsonb": (A, {"settings.fontScale": -0.0}),
    "one as a float": (P, {"earnedBadges.threshold": 1.0, "one": 1.0}),
    "one as an integer": (P, {"earnedBadges.threshold": 1, "one": 1}),
    "one in jsonb": (A, {"settings.a": 1.0, "settings.b": 1}),
    "beyond 2^53": (
        P,
        {"earnedBadges.threshold": 2**53 + 1, "big": [2**53 + 1, -(2**63) - 1, 2**64, 10**40]},
    ),
    "beyond 2^53 in jsonb": (A, {"settings.big": 2**53 + 1, "settings.huge": 10**40}),
    "largest and smallest": (P, {"earnedBadges.threshold": 1.7976931348623157e308, "least": 5e-324}),
    "float that jsonb spells out": (A, {"settings.far": 1e22, "settings.near": 1e-7}),
    "seventh digit": (A, {"createdAt": "2024-05-06T07:08:09.1234567Z", "subscription.endDate": None}),
    "seventh digit into the next second": (A, {"createdAt": "2023-12-31T23:59:59.9999999Z"}),
    "seventh digit in parts": (A, {"subscription.validUntil": "9999-12-31T23:59:59.9999999Z"}),
    "ninth digit": (P, {"earnedBadges.earnedAt": "2024-05-06T07:08:09.123456789Z"}),
    "fewer digits": (A, {"createdAt": "2024-05-06T07:08:09.1Z", "lastLoginAt": "2024-05-06T07:08:09.000Z"}),
    "offset": (
        A,
        {"createdAt": "2024-05-06T07:08:09.123456+05:45", "lastLoginAt": "2024-05-06T00:00:00-00:00"},
    ),
    "lower case t and z": (A, {"createdAt": "2024-05-06t07:08:09z"}),
    "accents composed": (A, {"displayName": "Zo\u00eb", "zo\u00eb": 1, "zoe\u0308": 2}),
    "accents apart": (A, {"displayName": "Zoe\u0308", "completedScenarioIds": ["e\u0308", "\u00eb"]}),
    "empty texts": (A, {"displayName": "", "subscription.productId": "", "externalUserId": "", "": ""}),
    "nulls": (A, {"displayName": None, "settings": None, "subscription": None, "completedScenarioIds": None}),
    "nothing there": (A, {"displayName": GONE, "settings": GONE, "subscription": GONE, "role": GONE}),
    "null within a part": (
        A,
        {"subscription.type": None, "subscription.isActive": None, "settings.theme": None},
    ),
    "gone from a part": (
        A,
        {"subscription.type": GONE, "subscription.isActive": GONE, "settings.theme": GONE},
    ),
    "empty parts": (A, {"settings": {}, "subscription": {}}),
    "empty lists": (P, {"earnedBadges": [], "preferredThemes": []}),
    "repeated and unordered": (A, {"completedScenarioIds": ["b", "a", "b"]}),
    "unknown everywhere": (P, {"odd": {"a": [None]}, "earnedBadges.odd": {"b": {}}, "earnedBadges.\x00": 1}),
    "unknown in parts": (A, {"settings.odd": [1.0, None], "subscription.odd": {"c": -0.0}}),
    "names of the former system": (A, {"Email": "other", "CompletedScenarioIds": "a,b", "settings.Theme": 1}),
    "quotes": (A, {"displayName": "Robert'); DROP TABLE accounts;--", "settings.theme": '"\\u0000'}),
    "control characters": (P, {"bio": "\x01\t\r\n\x7f\u2028\ufeff\uffff", "name": "😀👩‍👩‍👧‍👧"}),
    "reference in capitals": (P, {"accountId": PARENT["id"].upper()}),
    "no reference": (P, {"accountId": None}),
    "days at the edges": (P, {"dateOfBirth": "0001-01-01"}),
}


@pytest.mark.parametrize("trap", EXACT)
async def test_trap_is_carried_exactly(stores: Pair, trap: str) -> None:
    """What is easily lost is there again, byte for byte, alone and as the next version of a sound record."""
    kind, changes = EXACT[trap]
    content = with_changes(sound(kind), changes)
    assert await carry(stores, kind, [Record(content["id"], 0, content)]) == [Applied()]
    before = sound(kind)
    after = with_changes(before, changes | ({"externalUserId": None} if kind is A else {}))
    assert await carry(stores, kind, [Record(before["id"], 1, before)]) == [Applied()]
    assert await carry(stores, kind, [Record(before["id"], 2, after)]) == [Applied()]


ALIKE = [
    (0.0, -0.0),
    (-0.0, 0.0),
    (0, -0.0),
    (1, 1.0),
    (1.0, 1),
    ("Zo\u00eb", "Zoe\u0308"),
    ("a\x00", "a\ufffd"),
    ("\ud800", "\ufffd"),
    (None, GONE),
    (GONE, None),
    ("", None),
]


@pytest.mark.parametrize(("before", "after"), ALIKE)
async def test_value_replaces_one_that_compares_alike(stores: Pair, before: object, after: object) -> None:
    """A next version that differs in what databases take for equal is another content, in roots and parts."""
    paths = ["earnedBadges.odd", "odd", "preferredThemes"]
    if isinstance(before, (int, float)):
        paths += ["earnedBadges.threshold", "earnedBadges.triggerValue"]
    else:
        paths += ["bio", "earnedBadges.scenarioId", "earnedBadges.badgeMessage"]
    content = sound(USER_PROFILES)
    for version, value in enumerate((before, after, before), start=1):
        placed = [value] if isinstance(value, str) else None
        changes = {path: placed if path == "preferredThemes" else value for path in paths}
        record = Record(content["id"], version, with_changes(content, changes))
        assert await carry(stores, USER_PROFILES, [record]) == [Applied()]


async def test_json_in_a_part_replaces_what_compares_alike(sample_database: str) -> None:
    """The same for jsonb in rows of parts, in which 1 and 1.0 are equal and not the same."""
    async with contextlib.AsyncExitStack() as stack:
        tables = PostgresStore(sample_database, postgres_tables.MAPPINGS)
        stack.push_async_callback(tables.close)
        await tables.open()
        for version, notes in enumerate(([1], [1.0], {"a": 1.50}, {"a": 1.5}, [1]), start=1):
            gadget = {"id": "alike", "parts": [{"code": "a", "notes": notes, "sizes": ["s"]}]}
            assert await tables.apply(postgres_tables.GADGETS, [Record("alike", version, gadget)]) == [
                Applied()
            ]
            held = await tables.get(postgres_tables.GADGETS, "alike")
            assert held is not None
            assert canonical(held.content) == canonical(gadget)


QUARANTINED: dict[str, tuple[Kind, dict[str, Any], str]] = {
    "no instant": (A, {"createdAt": "yesterday"}, "createdAt"),
    "number for an instant": (A, {"subscription.validUntil": 5}, "subscription.validUntil"),
    "instant without an offset": (P, {"createdAt": "2024-05-06T07:08:09"}, "createdAt"),
    "offset that no clock has": (A, {"createdAt": "2024-05-06T07:08:09+24:00"}, "createdAt"),
    "offset before the first year": (A, {"createdAt": "0001-01-01T00:00:00+14:00"}, "createdAt"),
    "leap second": (A, {"createdAt": "2016-12-31T23:59:60Z"}, "createdAt"),
    "day that never was": (P, {"dateOfBirth": "2023-02-30"}, "dateOfBirth"),
    "text for a truth value": (P, {"isGuest": "yes"}, "isGuest"),
    "text for a number": (P, {"earnedBadges.threshold": "3"}, "earnedBadges[0].threshold"),
    "text for a list": (A, {"completedScenarioIds": "a,b,"}, "completedScenarioIds"),
    "null in a list": (A, {"subscription.purchasedScenarios": [None]}, "subscription.purchasedScenarios"),
    "list for a part": (A, {"subscription": []}, "subscription"),
    "no e-mail": (A, {"email": GONE}, "email"),
    "what is no e-mail": (A, {"email": "nobody"}, "email"),
    "longer than its index": (A, {"completedScenarioIds": ["x" * 256]}, "completedScenarioIds"),
    "role that nobody has": (A, {"role": "Emperor"}, "role"),
    "age group of another form": (P, {"ageGroup": "grown-ups"}, "ageGroup"),
    "reference that is no key": (P, {"accountId": "nobody"}, "accountId"),
    "parent that is nowhere": (P, {"accountId": "00000000-0000-4000-8000-00000000dead"}, "accountId"),
    "badge without a name": (P, {"earnedBadges.badgeName": GONE}, "earnedBadges"),
}


@pytest.mark.parametrize("trap", QUARANTINED)
async def test_what_cannot_be_carried_is_refused_by_name(stores: Pair, trap: str) -> None:
    """Nothing is bent until it fits: the refusal names the field, and what was there before stays."""
    kind, changes, named = QUARANTINED[trap]
    before = sound(kind)
    await assert_refused(stores, kind, before, with_changes(before, changes), named)


@pytest.mark.parametrize("text", ["1e400", "-1e400", "NaN", "Infinity"])
async def test_number_that_json_has_not_is_no_content(stores: Pair, text: str) -> None:
    """Neither store takes it, under any name."""
    content = sound(ACCOUNTS) | {"odd": [float(text)]}
    for store in stores:
        with pytest.raises(InvalidRecordError) as refusal:
            await store.apply(ACCOUNTS, [Record(content["id"], 1, content)])
        assert refusal.value.path == "odd[0]"
        assert await store.get(ACCOUNTS, content["id"]) is None


async def test_order_of_names_has_no_meaning(stores: Pair) -> None:
    """The same properties in another order are the same record, in the bytes and to both stores."""
    content = with_changes(sound(USER_PROFILES), {"odd": {"b": 1, "a": {"d": 1, "c": 2}}})
    turned = parse(b"{" + b",".join(reversed([_pair(name, content[name]) for name in content])) + b"}")
    assert list(turned) == list(reversed(content))
    assert canonical(turned) == canonical(content)
    for store in stores:
        assert await store.apply(USER_PROFILES, [Record(content["id"], 1, content)]) == [Applied()]
        assert await store.apply(USER_PROFILES, [Record(content["id"], 1, turned)]) == [Ignored(1)]


def _pair(name: str, value: object) -> bytes:
    return canonical(name) + b":" + canonical(value)


async def test_of_a_name_that_stands_twice_the_last_counts(stores: Pair) -> None:
    """JSON text by others may say a name twice: it is read in one way, everywhere, and carried as read."""
    documents, tables = stores
    assert isinstance(documents, SqliteStore)
    content = sound(ACCOUNTS) | {"odd": 2, "displayName": "last"}
    text = canonical(content).decode()
    twice = '{"odd":1,"displayName":"first","email":"first@example.org",' + text[1:]
    assert parse(twice) == content
    with by_hand(documents.path) as connection:
        statement = (
            "insert into documents (kind, key, version, body, escaped) values ('accounts', ?, 0, ?, 0)"
        )
        connection.execute(statement, (content["id"], twice))
    held = await documents.get(ACCOUNTS, content["id"])
    assert held is not None
    assert canonical(held.content) == canonical(content)
    assert await tables.apply(ACCOUNTS, [held]) == [Applied()]
    assert await tables.get(ACCOUNTS, content["id"]) == held


async def test_keys_at_the_edges_of_uuids(stores: Pair) -> None:
    """The least and the largest key are keys like any other; what is not spelled so is none."""
    keys = ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]
    records = [Record(key, 1, sound(ACCOUNTS) | {"id": key}) for key in keys]
    assert await carry(stores, ACCOUNTS, records) == [Applied(), Applied()]
    for store in stores:
        scanned = [record.key for record in await store.scan(ACCOUNTS, KeyRange(), 10_000)]
        assert (scanned[0], scanned[-1]) == (keys[0], keys[1])
        for key in ("0", "-1", "", keys[1].upper(), keys[0].replace("-", ""), f"{keys[0]}|{keys[0]}"):
            with pytest.raises(InvalidRecordError):
                await store.apply(ACCOUNTS, [Record(key, 1, sound(ACCOUNTS) | {"id": key})])


TEXT_KEYS = [
    "0",
    "-1",
    "-9223372036854775809",
    "00",
    "1",
    "1.0",
    "a|b",
    "a/b",
    "a b",
    '["a",1]',
    " ",
    "\u00e9",
]


async def test_keys_of_numbers_and_of_several_parts(tmp_path: Path, sample_database: str) -> None:
    """Where keys are text, numbers (also below one) and composites are texts, each its own, in one order."""
    documents = SqliteStore(tmp_path / "documents.sqlite")
    tables = PostgresStore(sample_database, postgres_tables.MAPPINGS)
    records = [Record(key, 1, word(key)) for key in TEXT_KEYS]
    async with contextlib.AsyncExitStack() as stack:
        for store in (documents, tables):
            stack.push_async_callback(store.close)
            await store.open()
            assert await store.apply(WORDS, records) == [Applied()] * len(records)
            assert await store.scan(WORDS, KeyRange(), 100) == sorted(records, key=lambda each: each.key)
            assert await store.scan(WORDS, KeyRange("-1", "1"), 100) == [
                record for record in sorted(records, key=lambda each: each.key) if "-1" < record.key <= "1"
            ]
