"""Sessions and scores as a document store of some years' standing would hold them.

A session is one play of a story with all that happened in it, so it is far larger than any other record: a
few kilobytes to some tens of them. As with people, most are plain and the rest awkward by stated shares.
"""

import unicodedata
from random import Random
from typing import Any, Final

from mystira.simulation.making import (
    DAY,
    OPEN_DAYS,
    Document,
    Oddities,
    make_odd,
    make_uuid,
    offset,
    pick,
    spell,
    unknown_fields,
)
from mystira.simulation.names import EMOJI, GIVEN_NAMES
from mystira.simulation.people import FORMER_SHARE, SCENARIOS

_SECOND: Final = 1_000_000
_STATUSES: Final = ("Completed",) * 13 + ("Abandoned",) * 4 + ("InProgress", "InProgress", "Paused")
LIVE: Final = ("InProgress", "Paused")
"""The statuses in which a session may still go on."""
_AGE_GROUPS: Final = ("1-2", "3-5", "6-9", "6-9", "6-9", "10-12", "13-18")
_AXES: Final = ("Self-Regulation", "Curiosity & Initiative", "Courage", "Empathy")
_ECHOES: Final = ("honesty", "patience", "a kept promise", "shared bread", "doubt")
_CHOICES: Final = (
    "Knock at the door, twice.",
    "Wait until the lantern goes out.",
    "Tell the ferryman whose name was borrowed.",
    "Give the last biscuit away — all of it.",
    "Climb the hill “the wrong way up”.",
)


def make_session(
    random: Random, account_id: str, profile_id: str, scenario_id: str | None = None
) -> Document:
    """A session as a document, of a story among SCENARIOS unless one is given."""
    began = int(random.random() * OPEN_DAYS * DAY)
    story = scenario_id or pick(random, SCENARIOS)
    status = pick(random, _STATUSES)
    key = make_uuid(random)
    session: Document = {
        "id": key,
        "accountId": account_id,
        "profileId": profile_id,
        "scenarioId": story,
        "liveKey": f"{account_id}:{story}:{profile_id}" if status in LIVE else None,
        "status": status,
        "playerNames": _make_names(random),
        "targetAgeGroup": pick(random, _AGE_GROUPS),
        "createdAt": spell(began),
        "startTime": spell(began),
        "selectedCharacterId": None if random.random() < 0.3 else "the-lamplighter",
    }
    session["characterAssignments"] = _assign(session, profile_id)
    _play(random, session, began)
    return make_odd(random, session, _ODDITIES)


def make_score(random: Random, session: Document) -> Document:
    """The score that a session left, as a document. Of one profile and one story there must be only one."""
    kept = int(random.random() * OPEN_DAYS * DAY)
    totals: dict[str, float] = session["playerCompassTotals"].get(session["profileId"], {})
    score: Document = {
        "id": make_uuid(random),
        "profileId": session["profileId"],
        "scenarioId": session["scenarioId"],
        "gameSessionId": session["id"],
        "accountId": session["accountId"],
        "axisScores": dict(totals),
        "createdAt": spell(kept),
        "updatedAt": spell(kept),
    }
    return make_odd(random, score, _SCORE_ODDITIES)


def leave_play_behind(random: Random, document: Document) -> Document:
    """The session or score as it lies in the document store: a share of them as the former system wrote it.

    It had no events and nothing that tells live sessions apart. What its lists and maps contain it spelled
    in its own way, and nobody rewrites that.
    """
    if random.random() >= FORMER_SHARE or any("," in name for name in document.get("playerNames", ())):
        return document
    former: Document = {"id": document["id"]}
    for name, value in document.items():
        if name in ("id", "events", "liveKey", "updatedAt"):
            continue
        former[name[0].upper() + name[1:]] = ",".join(value) if name == "playerNames" else value
    return former


def _make_names(random: Random) -> list[str]:
    return [pick(random, GIVEN_NAMES) for _ in range(1 + int(random.random() * 4))]


def _assign(session: Document, profile_id: str) -> list[Document]:
    first, *guests = session["playerNames"]
    owner = {
        "characterId": "the-lamplighter",
        "playerId": profile_id,
        "playerName": first,
        "profileId": profile_id,
    }
    return [
        owner,
        *(
            {"characterId": f"guest-{number}", "playerId": f"guest-{number}", "playerName": name}
            for number, name in enumerate(guests)
        ),
    ]


def _play(random: Random, session: Document, began: int) -> None:
    """Let things happen, and write down what follows from them."""
    scenes = 2 + int(random.random() * random.random() * 60)
    now, events = began, [_started(session)]
    histories: dict[str, list[Document]] = {"choice": [], "roll": [], "echo": [], "reveal": []}
    totals: dict[str, float] = {}
    for number in range(1, scenes):
        now += int(random.random() * 90 * _SECOND) + 1
        scene, at = f"scene-{number:02d}", spell(now)
        events.append(_choose(random, scene, number, at, session["profileId"], histories, totals))
    session |= {f"{name}History": entries for name, entries in histories.items()}
    session |= {
        "events": events,
        "currentSceneId": f"scene-{scenes:02d}",
        "sceneCount": scenes,
        "compassValues": {axis: _value(total, now) for axis, total in totals.items()},
        "playerCompassTotals": {session["profileId"]: totals} if totals else {},
        "achievements": [],
        "accumulatedPause": round(random.random() * 600, 6) if random.random() < 0.2 else 0.0,
        "endTime": None if session["status"] in LIVE else spell(now),
        "pausedAt": spell(now) if session["status"] == "Paused" else None,
        "updatedAt": spell(now),
    }


def _started(session: Document) -> Document:
    return {
        "type": "SessionStarted",
        "at": session["startTime"],
        "sessionId": session["id"],
        "scenarioId": session["scenarioId"],
        "accountId": session["accountId"],
        "profileId": session["profileId"],
        "players": [{"id": each["playerId"], "name": each["playerName"]} for each in _seated(session)],
        "firstSceneId": "scene-01",
        "targetAgeGroup": session["targetAgeGroup"],
    }


def _seated(session: Document) -> list[Document]:
    assignments: list[Document] = session["characterAssignments"]
    return assignments


def _choose(
    random: Random,
    scene: str,
    number: int,
    at: str,
    player: str,
    histories: dict[str, list[Document]],
    totals: dict[str, float],
) -> Document:
    """The event, with its consequences noted in the histories and totals."""
    following = {"sceneId": scene, "nextSceneId": f"scene-{number + 1:02d}", "playerId": player, "at": at}
    if random.random() < 0.15:
        value = 1 + int(random.random() * 20)
        thrown = following | {"value": value, "difficulty": 11.0, "hasSucceeded": value >= 11}
        histories["roll"].append(thrown)
        return thrown | {"type": "DiceRolled", "choice": pick(random, _CHOICES)}
    taken = following | {"choice": pick(random, _CHOICES), "branch": int(random.random() * 3)}
    histories["choice"].append(taken)
    event: dict[str, Any] = taken | {"type": "ChoiceMade"}
    if random.random() < 0.5:
        echo = {"echoType": pick(random, _ECHOES), "strength": round(random.random() * 2 - 1, 2)}
        event["echo"] = echo
        histories["echo"].append(echo | {"sceneId": scene, "sceneNumber": number, "at": at})
    if random.random() < 0.6:
        axis, delta = pick(random, _AXES), round(random.random() * 2 - 1, 1)
        event["movement"] = {"axis": axis, "delta": delta}
        totals[axis] = round(totals.get(axis, 0.0) + delta, 6) + 0.0
    return event


def _value(total: float, now: int) -> Document:
    current = max(-2.0, min(2.0, total))
    step = {"delta": total, "value": current, "at": spell(now)}
    return {"current": current, "starting": 0.0, "history": [step], "lastUpdated": spell(now)}


# -- what makes records awkward ----------------------------------------------------------------------------


def _ticks(random: Random, session: Document) -> None:
    """Ticks of 100 ns, in columns that have no room for them."""
    for name in ("startTime", "endTime"):
        if session[name] is not None:
            session[name] = f"{session[name][:19]}.{int(random.random() * 10_000_000):07d}Z"


def _emoji(random: Random, session: Document) -> None:
    session["playerNames"] = [f"{name} {pick(random, EMOJI)}" for name in session["playerNames"]]


def _decomposed(_: Random, session: Document) -> None:
    """Letters and their accents apart."""
    session["playerNames"] = [unicodedata.normalize("NFD", name) for name in session["playerNames"]]


def _numbers(_: Random, session: Document) -> None:
    """Numbers in the histories that are easily taken for others: a minus zero, a one with a point."""
    session["achievements"] = [{"profileId": session["profileId"], "share": -0.0, "whole": 1.0, "one": 1}]


def _gaps(_: Random, session: Document) -> None:
    """What an earlier release did not write."""
    for name in ("selectedCharacterId", "targetAgeGroup", "achievements", "accumulatedPause", "updatedAt"):
        session.pop(name, None)


def _nulls(_: Random, session: Document) -> None:
    session["currentSceneId"] = session["selectedCharacterId"] = session["endTime"] = None


def _no_session(_: Random, score: Document) -> None:
    """Its session went before there was anything that let go of it properly."""
    score["gameSessionId"] = None


def _minus_zero(_: Random, score: Document) -> None:
    score["axisScores"]["Courage"] = -0.0


_ODDITIES: Final[Oddities] = (
    (0.10, _ticks),
    (0.05, offset),
    (0.05, _emoji),
    (0.04, _decomposed),
    (0.04, _numbers),
    (0.04, unknown_fields),
    (0.03, _gaps),
    (0.04, _nulls),
)

_SCORE_ODDITIES: Final[Oddities] = (
    (0.05, offset),
    (0.04, unknown_fields),
    (0.04, _no_session),
    (0.03, _minus_zero),
)
