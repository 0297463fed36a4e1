"""Made-up plays and papers: the same for the same seed, records of their kinds, awkward as promised."""

import itertools
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgspec
import pytest

from manystore.former import as_declared
from manystore.records import Kind, canonical
from mystira.domain.consents.kind import DELETION_REQUESTS, PARENTAL_CONSENTS
from mystira.domain.purchases.kind import PURCHASES
from mystira.domain.records import Entity
from mystira.domain.scores.kind import PLAYER_SCENARIO_SCORES
from mystira.domain.scores.model import PlayerScenarioScore
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.domain.sessions.model import GameSession
from mystira.domain.signing_in.kind import PENDING_SIGNUPS, SIGN_INS
from mystira.domain.signing_in.model import PendingSignup, SignIn
from mystira.simulation.making import make_uuid
from mystira.simulation.paperwork import (
    make_consent,
    make_deletion_request,
    make_purchase,
    make_sign_in,
    make_signup,
)
from mystira.simulation.plays import LIVE, leave_play_behind, make_score, make_session

Documents = list[dict[str, Any]]


def _sessions(seed: int) -> Iterator[dict[str, Any]]:
    random = Random(seed)
    while True:
        yield make_session(random, make_uuid(random), make_uuid(random))


def _scores(seed: int) -> Iterator[dict[str, Any]]:
    random = Random(seed)
    return (make_score(random, session) for session in _sessions(seed))


def _papers(make: Callable[[Random, int], dict[str, Any]]) -> Callable[[int], Iterator[dict[str, Any]]]:
    def documents(seed: int) -> Iterator[dict[str, Any]]:
        random = Random(seed)
        return (make(random, index) for index in itertools.count())

    return documents


MADE: dict[str, tuple[Kind, Callable[[int], Iterator[dict[str, Any]]]]] = {
    "sessions": (GAME_SESSIONS, _sessions),
    "scores": (PLAYER_SCENARIO_SCORES, _scores),
    "sign-ups": (PENDING_SIGNUPS, _papers(make_signup)),
    "sign-ins": (SIGN_INS, _papers(lambda random, _: make_sign_in(random, make_uuid(random)))),
    "consents": (
        PARENTAL_CONSENTS,
        _papers(lambda random, index: make_consent(random, make_uuid(random), make_uuid(random), index)),
    ),
    "requests": (
        DELETION_REQUESTS,
        _papers(lambda random, _: make_deletion_request(random, make_uuid(random), make_uuid(random))),
    ),
    "purchases": (PURCHASES, _papers(lambda random, _: make_purchase(random, make_uuid(random)))),
}

MODELS: dict[str, type[Entity]] = {
    "sessions": GameSession,
    "scores": PlayerScenarioScore,
    "sign-ups": PendingSignup,
    "sign-ins": SignIn,
}


def _made(what: str, count: int, seed: int = 1) -> Documents:
    return list(itertools.islice(MADE[what][1](seed), count))


@pytest.mark.parametrize("what", MADE)
def test_the_same_seed_makes_the_same_documents(what: str) -> None:
    """Every byte follows from the seed, and another seed makes others."""
    first, again, other = (list(map(canonical, _made(what, 50, seed))) for seed in (5, 5, 6))
    assert first == again
    assert first != other


@pytest.mark.parametrize("what", MADE)
def test_every_document_is_a_record_that_says_all_of_its_kind(what: str) -> None:
    """Each is a record, each declared field is said by most, and hardly any says what is not declared."""
    kind, documents = MADE[what][0], _made(what, 300)
    names = {field.name for field in kind.fields}
    for document in documents:
        kind.check(document["id"], document)
    assert {name for document in documents for name in document} >= names
    assert sum(bool(document.keys() - names) for document in documents) < 30
    assert len({document["id"] for document in documents}) == len(documents)


@pytest.mark.parametrize("what", MODELS)
def test_every_document_can_be_read(what: str) -> None:
    """However awkward, it fits the model in which use cases hold it."""
    for document in _made(what, 300):
        assert msgspec.convert(document, MODELS[what]).id == document["id"]


def test_only_live_sessions_have_a_live_key() -> None:
    """What keeps two live sessions apart is there as long as the session lives; of many, few do."""
    sessions = _made("sessions", 400)
    live = [each for each in sessions if each["status"] in LIVE]
    assert [each for each in sessions if each["liveKey"] is not None] == live
    assert 20 < len(live) < 120


def test_sessions_are_of_the_size_of_real_plays() -> None:
    """Some are of two scenes and some of dozens; the middle one is some kilobytes."""
    sizes = sorted(len(canonical(session)) for session in _made("sessions", 300))
    assert sizes[0] < 2_500
    assert 4_000 < sizes[150] < 12_000
    assert sizes[-1] > 20_000


def test_former_sessions_are_told_as_the_former_system_told_them() -> None:
    """Capitals and joined names, without what is new; read as declared, they say what they said."""
    random = Random(9)
    sessions = _made("sessions", 400)
    behind = [leave_play_behind(random, session) for session in sessions]
    former = [(old, new) for old, new in zip(behind, sessions, strict=True) if old is not new]
    assert 4 < len(former) < 30
    for old, new in former:
        assert old.keys().isdisjoint({"events", "Events", "LiveKey", "playerNames"})
        read = as_declared(GAME_SESSIONS, 0, old)
        assert read["playerNames"] == new["playerNames"]
        assert read["choiceHistory"] == new["choiceHistory"]
        assert {name for name in new if name not in read} <= {
            "events",
            "liveKey",
            "updatedAt",
            "loyalty",
            "legacyNumber",
            "flags",
        }
