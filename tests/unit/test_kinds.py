"""The declarations of kinds agree with the models, the labels with the rules, the placement with both."""

import datetime as dt
import enum
import re
import typing
from types import UnionType
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from manystore.placement import Phase
from manystore.records import Field, FieldType, Kind, Label
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.accounts.model import (
    Account,
    AccountChange,
    NewAccount,
    Subscription,
    SubscriptionChange,
)
from mystira.domain.content_steps.kind import CONTENT_STEPS
from mystira.domain.content_steps.model import ContentStep
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.domain.profiles.model import BadgeAward, NewProfile, ProfileChange, UserBadge, UserProfile
from mystira.domain.scores.kind import PLAYER_SCENARIO_SCORES
from mystira.domain.scores.model import PlayerScenarioScore
from mystira.domain.second_factors.kind import SECOND_FACTORS
from mystira.domain.second_factors.model import SecondFactor
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.domain.sessions.model import GameSession
from mystira.domain.signing_in.kind import PENDING_SIGNUPS, SIGN_INS
from mystira.domain.signing_in.model import PendingSignup, SignIn
from mystira.placement import PHASE_NAMES, PLACEMENT, SETTLED, phase_named
from mystira.schema.mappings import MAPPINGS
from mystira.schema.tables import SUBSCRIPTIONS_TABLE

Struct = type[msgspec.Struct]
KINDS: list[tuple[Kind, Struct]] = [
    (ACCOUNTS, Account),
    (USER_PROFILES, UserProfile),
    (GAME_SESSIONS, GameSession),
    (PLAYER_SCENARIO_SCORES, PlayerScenarioScore),
    (PENDING_SIGNUPS, PendingSignup),
    (SIGN_INS, SignIn),
    (SECOND_FACTORS, SecondFactor),
    (CONTENT_STEPS, ContentStep),
]

_SCALARS = {
    bool: {FieldType.BOOLEAN},
    int: {FieldType.INTEGER},
    float: {FieldType.NUMBER},
    dt.datetime: {FieldType.TIMESTAMP},
    dt.date: {FieldType.DATE},
    str: {FieldType.STRING, FieldType.UUID},
}


def _without_none(annotation: Any) -> Any:
    if isinstance(annotation, UnionType) or typing.get_origin(annotation) is typing.Union:
        (annotation,) = [each for each in typing.get_args(annotation) if each is not type(None)]
    return annotation


def _disagreements(model: Struct, fields: tuple[Field, ...], path: str) -> list[str]:
    """Where a model and declared fields differ, in names or in types, down to the parts."""
    declared = {field.name: field for field in fields}
    known = {field.encode_name: _without_none(field.type) for field in msgspec.structs.fields(model)}
    found = [f"{path}{name} is not declared, so it has no label" for name in known.keys() - declared.keys()]
    found += [f"{path}{name} is declared and not in the model" for name in declared.keys() - known.keys()]
    for name in known.keys() & declared.keys():
        found += _misfits(known[name], declared[name], f"{path}{name}")
    return found


def _misfits(annotation: Any, field: Field, path: str) -> list[str]:
    is_list = typing.get_origin(annotation) is list
    if field.type is FieldType.JSON:
        # The store looks no further into it; the model says what is in there.
        is_whole = typing.get_origin(annotation) in (list, dict)
        return [] if is_whole else [f"{path} is {field.type}, model says {annotation}"]
    inner = typing.get_args(annotation)[0] if is_list else annotation
    if issubclass(inner, msgspec.Struct):
        expected = {FieldType.OBJECTS if is_list else FieldType.OBJECT}
        found = _disagreements(inner, field.fields, f"{path}.")
    elif is_list:
        expected, found = {FieldType.STRINGS} if inner is str else set(), []
    else:
        expected, found = ({FieldType.STRING} if issubclass(inner, enum.Enum) else _SCALARS[inner]), []
    return found if field.type in expected else [*found, f"{path} is {field.type}, model says {annotation}"]


@pytest.mark.parametrize(("kind", "model"), KINDS)
def test_every_field_of_a_model_is_declared_with_a_label(kind: Kind, model: Struct) -> None:
    """A property without a declaration would have no classification; one without a model, no meaning."""
    assert _disagreements(model, kind.fields, "") == []


def test_a_forgotten_label_is_noticed() -> None:
    """The comparison above sees a field that is missing on either side, in parts too, and a wrong type."""
    fields = tuple(field for field in ACCOUNTS.fields if field.name not in ("email", "settings"))
    settings = ACCOUNTS.field("settings")
    shorter = msgspec.structs.replace(settings, fields=settings.fields[1:])
    wrong = Field(name="email", type=FieldType.BOOLEAN, label=Label.RESTRICTED)
    extra = Field(name="shoeSize", type=FieldType.NUMBER, label=Label.PUBLIC)
    found = _disagreements(Account, (*fields, shorter, wrong, extra), "")
    assert sorted(each.split()[0] for each in found) == ["email", "settings.cacheCredentials", "shoeSize"]


def test_what_describes_a_child_is_restricted() -> None:
    """Of a profile only pointers, times and what says nothing of the person are less than Restricted."""
    less = {"id", "accountId", "createdAt", "updatedAt", "isGuest", "isNpc", "hasCompletedOnboarding"}
    assert {field.name for field in USER_PROFILES.fields if field.label is not Label.RESTRICTED} == less
    badge = USER_PROFILES.field("earnedBadges").fields
    assert {field.name for field in badge if field.label is not Label.RESTRICTED} == {"id"}


def test_what_names_or_opens_an_account_is_restricted() -> None:
    """An address, a name, an identity elsewhere and a purchase's token are the owner's alone."""
    subscription = ACCOUNTS.field("subscription").fields
    restricted = {
        field.name for field in (*ACCOUNTS.fields, *subscription) if field.label is Label.RESTRICTED
    }
    assert restricted == {"email", "externalUserId", "displayName", "subscription", "purchaseToken"}


def test_no_field_of_a_person_is_free_for_all() -> None:
    """Nothing of the kinds that lie in tables, which are all of people, is Public or Internal."""
    for mapping in MAPPINGS:
        parts = [inner for field in mapping.kind.fields for inner in field.fields]
        labels = {field.label for field in (*mapping.kind.fields, *parts)}
        assert labels <= {Label.CONFIDENTIAL, Label.RESTRICTED}


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (AccountChange, Account),
        (NewProfile, UserProfile),
        (ProfileChange, UserProfile),
        (BadgeAward, UserBadge),
        (NewAccount, Account),
        (SubscriptionChange, Account.__annotations__["subscription"]),
    ],
)
def test_what_may_be_sent_is_part_of_what_is_stored(sent: Struct, stored: Struct) -> None:
    """Requests use the stored properties' names, refuse unknown ones, and cannot set id, role or times."""
    names = {field.encode_name for field in msgspec.structs.fields(sent)}
    assert names <= {field.encode_name for field in msgspec.structs.fields(stored)}
    assert names.isdisjoint({"id", "role", "createdAt", "updatedAt"})
    assert sent.__struct_config__.forbid_unknown_fields
    assert not stored.__struct_config__.forbid_unknown_fields


def test_every_kind_that_is_placed_lies_in_tables() -> None:
    """What can move to PostgreSQL has a mapping, parents come first, and children know their parents."""
    placed = [entry.kind for entry in PLACEMENT]
    settled = SETTLED["relational"]
    mapped = [mapping.kind for mapping in MAPPINGS]
    assert [kind for kind in mapped if kind not in settled] == placed
    assert {kind.name for kind in mapped} == {kind.name for kind in (*placed, *settled)}
    for index, kind in enumerate(placed):
        assert {parent.kind for parent in kind.parents} <= {before.name for before in placed[:index]}


def _words_of(model: Struct) -> dict[str, set[str]]:
    """The properties of a model that are one of a few words, with these."""
    typed = {field.encode_name: _without_none(field.type) for field in msgspec.structs.fields(model)}
    return {
        name: {str(each.value) for each in annotation}
        for name, annotation in typed.items()
        if isinstance(annotation, type) and issubclass(annotation, enum.Enum)
    }


def _checked_words(table: sa.Table, column: str) -> set[str]:
    """The words that a check of the table admits in a column."""
    for constraint in table.constraints:
        if isinstance(constraint, sa.CheckConstraint) and constraint.name == f"{table.name}_{column}_check":
            return set(re.findall("'([^']*)'", str(constraint.sqltext)))
    return set()


@pytest.mark.parametrize(("kind", "model"), KINDS)
def test_tables_admit_the_words_that_models_know_and_no_others(kind: Kind, model: Struct) -> None:
    """Whatever a use case can write can move, and what no release ever wrote is found before it moves."""
    mapping = next((each for each in MAPPINGS if each.kind is kind), None)
    for name, words in _words_of(model).items():
        if mapping is None:
            # One that lives in documents for good: no table is asked.
            assert kind in SETTLED["documents"]
            continue
        assert _checked_words(mapping.table, mapping.columns[name]) == words, name


def test_the_types_of_subscriptions_are_those_of_their_table() -> None:
    """The same for the part that has words of its own."""
    assert _checked_words(SUBSCRIPTIONS_TABLE, "type") == _words_of(Subscription)["type"]


def test_every_kind_begins_in_the_document_store() -> None:
    """Nothing has moved yet; all but profiles are meant to leave the documents for good."""
    assert {entry.phase for entry in PLACEMENT} == {Phase.SOURCE_ONLY}
    assert {(entry.source, entry.target) for entry in PLACEMENT} == {("documents", "relational")}
    homes = {entry.kind.name: PHASE_NAMES[entry.home] for entry in PLACEMENT}
    assert homes.pop("user_profiles") == "DualWritePostgresRead"
    assert set(homes.values()) == {"PostgresOnly"}


def test_every_kind_has_one_place() -> None:
    """A kind moves or is settled, once, and no two share a name or a container."""
    kinds = [*(entry.kind for entry in PLACEMENT), *(kind for each in SETTLED.values() for kind in each)]
    assert len({kind.name for kind in kinds}) == len({kind.container for kind in kinds}) == len(kinds)


def test_nothing_restricted_is_cached() -> None:
    """A kind with a Restricted field names no cache."""
    for entry in PLACEMENT:
        labels = {field.label for field in entry.kind.fields}
        assert Label.RESTRICTED not in labels or entry.cache == "none"


def test_each_phase_has_one_name() -> None:
    """Names lead to phases and back, in any case; other words lead nowhere."""
    assert set(PHASE_NAMES) == set(Phase)
    for phase, name in PHASE_NAMES.items():
        assert phase_named(name) is phase_named(name.lower()) is phase
    assert phase_named("Postgres") is None
