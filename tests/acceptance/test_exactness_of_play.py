"""The same for plays and papers: sessions, scores, sign-ups and sign-ins, consents, purchases."""

from random import Random
from typing import Any, Final

import pytest

from manystore.records import Content, Kind, Record
from manystore.stores.store import Applied, Refused
from mystira.domain.consents.kind import DELETION_REQUESTS, PARENTAL_CONSENTS
from mystira.domain.purchases.kind import PURCHASES
from mystira.domain.scores.kind import PLAYER_SCENARIO_SCORES
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.domain.signing_in.kind import PENDING_SIGNUPS, SIGN_INS
from mystira.simulation.making import make_uuid
from mystira.simulation.paperwork import (
    make_consent,
    make_deletion_request,
    make_purchase,
    make_sign_in,
    make_signup,
)
from mystira.simulation.plays import make_score, make_session
from tests.acceptance.carrying import (
    PARENT,
    PLAYED,
    MakeSound,
    Pair,
    assert_refused,
    carried_url,
    carry,
    round_trip,
    sound,
    stores,
    with_changes,
)
from tests.acceptance.declared_values import GONE

__all__ = ["carried_url", "stores"]


def _sound_session(random: Random, number: int) -> Content:
    # Not longer than it must be to have one of everything.
    session = make_session(random, PARENT["id"], make_uuid(random))
    return session | {"events": session["events"][:6], "choiceHistory": session["choiceHistory"][:4]}


def _sound_score(random: Random, number: int) -> Content:
    return make_score(random, PLAYED) | {"profileId": make_uuid(random), "gameSessionId": PLAYED["id"]}


_SOUND: Final[dict[Kind, MakeSound]] = {
    GAME_SESSIONS: _sound_session,
    PLAYER_SCENARIO_SCORES: _sound_score,
    PENDING_SIGNUPS: make_signup,
    SIGN_INS: lambda random, _: make_sign_in(random, PARENT["id"]),
    PARENTAL_CONSENTS: lambda random, number: make_consent(random, make_uuid(random), PARENT["id"], number),
    DELETION_REQUESTS: lambda random, _: make_deletion_request(random, make_uuid(random), PARENT["id"]),
    PURCHASES: lambda random, _: make_purchase(random, PARENT["id"]),
}
KINDS: Final = tuple(_SOUND)
"""Each has its round trip here."""

_EXAMPLES: Final = 20


def _trip(kind: Kind) -> Any:
    return round_trip(kind, _SOUND[kind], examples=_EXAMPLES)


test_sessions_come_back_or_are_refused_by_name = _trip(GAME_SESSIONS)
test_scores_come_back_or_are_refused_by_name = _trip(PLAYER_SCENARIO_SCORES)
test_sign_ups_come_back_or_are_refused_by_name = _trip(PENDING_SIGNUPS)
test_sign_ins_come_back_or_are_refused_by_name = _trip(SIGN_INS)
test_consents_come_back_or_are_refused_by_name = _trip(PARENTAL_CONSENTS)
test_requests_come_back_or_are_refused_by_name = _trip(DELETION_REQUESTS)
test_purchases_come_back_or_are_refused_by_name = _trip(PURCHASES)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_what_is_made_up_is_carried_exactly(stores: Pair, kind: Kind) -> None:
    """Awkward as some are, none of a hundred is refused or comes back otherwise."""
    contents = [sound(_SOUND[kind]) for _ in range(100)]
    records = [Record(each["id"], 1, each) for each in contents]
    assert set(await carry(stores, kind, records)) == {Applied()}


S, C = GAME_SESSIONS, PLAYER_SCENARIO_SCORES
EXACT: dict[str, tuple[Kind, dict[str, Any]]] = {
    "NUL in what happened": (S, {"events": [{"choice": "a\x00b", "\x00": None}], "currentSceneId": "\x00"}),
    "lone surrogates in names": (S, {"playerNames": ["\ud800", "Mia"], "achievements": ["\udfff"]}),
    "minus zero on an axis": (C, {"axisScores": {"Courage": -0.0, "Empathy": 0.0, "Trust": 0}}),
    "one and a one with a point": (C, {"axisScores": {"a": 1, "b": 1.0}}),
    "numbers beyond 2^53": (C, {"axisScores": {"a": 2**53 + 1, "b": 10**40, "c": 1e22}}),
    "minus zero in seconds": (S, {"accumulatedPause": -0.0}),
    "whole seconds": (S, {"accumulatedPause": 3}),
    "scenes with a point": (S, {"sceneCount": 7.0}),
    "history that is null": (S, {"choiceHistory": None, "events": None, "playerNames": None}),
    "history that is not there": (S, {"choiceHistory": GONE, "events": GONE, "playerNames": GONE}),
    "history of another form": (S, {"compassValues": [], "echoHistory": {}, "rollHistory": "none"}),
    "a list as long as a book": (S, {"choiceHistory": [{"sceneId": f"s{n}", "at": n} for n in range(3000)]}),
    "seventh digit": (S, {"startTime": "2024-05-06T07:08:09.1234567Z", "endTime": None}),
    "no account and no profile": (S, {"accountId": None, "profileId": None, "liveKey": None}),
    "reference in capitals": (S, {"accountId": PARENT["id"].upper()}),
    "no session": (C, {"gameSessionId": None}),
    "no pair": (C, {"profileId": None, "scenarioId": "lantern"}),
    "nothing said of attempts": (PENDING_SIGNUPS, {"failedAttempts": GONE, "isUsed": None}),
    "no code": (PENDING_SIGNUPS, {"codeHash": None, "requestId": "", "expiresAt": GONE}),
    "attempts beyond what the column holds": (PARENTAL_CONSENTS, {"failedAttempts": 40_000}),
    "scope of nothing": (PARENTAL_CONSENTS, {"scope": [], "parentEmail": None}),
    "buyer who has left": (PURCHASES, {"accountId": None, "scenarioIds": ["b", "a", "b"]}),
    "nobody's session": (SIGN_INS, {"accountId": None, "userAgent": "\x00", "role": None}),
    "unknown everywhere": (DELETION_REQUESTS, {"odd": {"a": [None, 1.0]}, "reason": "\u2028\ufeff"}),
}


@pytest.mark.parametrize("trap", EXACT)
async def test_trap_is_carried_exactly(stores: Pair, trap: str) -> None:
    """What is easily lost is there again, byte for byte, alone and as the next version of a sound record."""
    kind, changes = EXACT[trap]
    content = with_changes(sound(_SOUND[kind]), changes)
    assert await carry(stores, kind, [Record(content["id"], 0, content)]) == [Applied()]
    before = sound(_SOUND[kind])
    after = with_changes(before, changes)
    assert await carry(stores, kind, [Record(before["id"], 1, before)]) == [Applied()]
    assert await carry(stores, kind, [Record(before["id"], 2, after)]) == [Applied()]


QUARANTINED: dict[str, tuple[Kind, dict[str, Any], str]] = {
    "status that no session has": (S, {"status": "Lost"}, "status"),
    "status by its number": (S, {"status": 2}, "status"),
    "age group of another form": (S, {"targetAgeGroup": "grown-ups"}, "targetAgeGroup"),
    "account that is nowhere": (S, {"accountId": "00000000-0000-4000-8000-00000000dead"}, "accountId"),
    "session that is nowhere": (
        C,
        {"gameSessionId": "00000000-0000-4000-8000-00000000dead"},
        "gameSessionId",
    ),
    "profile that is no key": (C, {"profileId": "Mia"}, "profileId"),
    "names that are no texts": (S, {"playerNames": ["Mia", 2]}, "playerNames"),
    "start that is no instant": (S, {"startTime": "at noon"}, "startTime"),
    "no e-mail": (PENDING_SIGNUPS, {"email": GONE}, "email"),
    "what is no e-mail": (PENDING_SIGNUPS, {"email": "nobody"}, "email"),
    "too many attempts": (PENDING_SIGNUPS, {"failedAttempts": 11}, "failedAttempts"),
    "attempts below none": (PENDING_SIGNUPS, {"failedAttempts": -1}, "failedAttempts"),
    "parent without an address": (PARENTAL_CONSENTS, {"parentEmail": "my mother"}, "parentEmail"),
    "consent without a status": (PARENTAL_CONSENTS, {"status": None}, "status"),
    "request without a status": (DELETION_REQUESTS, {"status": GONE}, "status"),
    "purchase without a status": (PURCHASES, {"status": GONE}, "status"),
    "buyer who is nowhere": (
        PURCHASES,
        {"accountId": "00000000-0000-4000-8000-00000000dead"},
        "accountId",
    ),
    "role that nobody has": (SIGN_INS, {"role": "Emperor"}, "role"),
}


@pytest.mark.parametrize("trap", QUARANTINED)
async def test_what_cannot_be_carried_is_refused_by_name(stores: Pair, trap: str) -> None:
    """Nothing is bent until it fits: the refusal names the field, and what was there before stays."""
    kind, changes, named = QUARANTINED[trap]
    before = sound(_SOUND[kind])
    await assert_refused(stores, kind, before, with_changes(before, changes), named)


async def test_a_second_score_of_a_pair_is_refused_by_name(stores: Pair) -> None:
    """Of two scores of one profile and story the table takes the first, whatever their keys."""
    first = sound(_sound_score)
    second = sound(_sound_score) | {"profileId": first["profileId"], "scenarioId": first["scenarioId"]}
    outcomes = await stores[1].apply(C, [Record(first["id"], 1, first), Record(second["id"], 1, second)])
    assert outcomes[0] == Applied()
    assert isinstance(outcomes[1], Refused)
    assert "profile_id_scenario_id" in str(outcomes[1].error)
    other = second | {"scenarioId": "another-story"}
    assert await stores[1].apply(C, [Record(second["id"], 1, other)]) == [Applied()]
