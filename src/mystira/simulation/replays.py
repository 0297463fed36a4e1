"""A play told again by the witness: from what was chosen and answered, and from what a session says.

It shares no code with the platform's own fold; both follow the specification, which is why they can be
compared.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

import msgspec

from mystira.simulation.ledger import Document

_BOUND: Final = 2.0
_DIGITS: Final = 6
_STATUSES: Final = {
    "SessionPaused": "Paused",
    "SessionResumed": "InProgress",
    "SessionCompleted": "Completed",
    "SessionAbandoned": "Abandoned",
}


class Taken(msgspec.Struct, frozen=True):
    """A choice or a throw: the scene, the branch or the value, and the scene that it led to."""

    scene: str
    decided: int
    following: str


class Replay(msgspec.Struct, kw_only=True):
    """How a play stands. `totals` are the sums of each player, `values` the session's, within bounds."""

    scene: str
    scenes: int = 1
    status: str = "InProgress"
    choices: list[Taken] = msgspec.field(default_factory=list)
    throws: list[Taken] = msgspec.field(default_factory=list)
    totals: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)
    values: dict[str, float] = msgspec.field(default_factory=dict)

    @classmethod
    def of_views(cls, session: Document) -> Self:
        """What a session says of itself where it is read."""
        return cls(
            scene=session["currentSceneId"],
            scenes=session["sceneCount"],
            status=session["status"],
            choices=[_taken(each, "branch") for each in session["choiceHistory"]],
            throws=[_taken(each, "value") for each in session["rollHistory"]],
            totals=session["playerCompassTotals"],
            values={axis: value["current"] for axis, value in session["compass"].items()},
        )

    @classmethod
    def of_events(cls, events: Iterable[Document]) -> Self:
        """What follows from all that happened in a session."""
        first, *rest = events
        replay = cls(scene=first["firstSceneId"], values=dict.fromkeys(first.get("axes", ()), 0.0))
        for event in rest:
            replay.happen(event)
        return replay

    def happen(self, event: Document) -> None:
        """One more of a session's events."""
        name = event["type"]
        if name in _STATUSES:
            self.status = _STATUSES[name]
        elif name == "ChoiceMade":
            self.choices.append(_taken(event, "branch"))
        elif name == "DiceRolled":
            self.throws.append(_taken(event, "value"))
        if "nextSceneId" in event:
            self.scene, self.scenes = event["nextSceneId"], self.scenes + 1
        if event.get("movement"):
            self.move(event["playerId"], event["movement"]["axis"], event["movement"]["delta"])

    def move(self, player: str, axis: str, delta: float) -> None:
        """A movement along an axis, for a player and for the session."""
        own = self.totals.setdefault(player, {})
        own[axis] = _tidy(own.get(axis, 0.0) + delta)
        self.values[axis] = _tidy(max(-_BOUND, min(_BOUND, self.values.get(axis, 0.0) + delta)))

    def answered(self, scene: str, step: str, branch: int, answer: Document) -> None:
        """A step out of a scene that was acknowledged, by what was asked and what the answer told of it."""
        session, roll, movement = answer["session"], answer["roll"], answer["movement"]
        following = session["currentSceneId"]
        if step == "choose":
            self.choices.append(Taken(scene, branch, following))
        elif roll is not None:
            self.throws.append(Taken(scene, roll["value"], following))
        if step in ("choose", "roll", "readOn"):
            self.scene, self.scenes = following, self.scenes + 1
        if movement is not None:
            self.move(movement["playerId"], movement["axis"], movement["delta"])
        self.status = session["status"]

    def totals_of(self, profile: str) -> dict[str, float]:
        """What counts for a profile, whose player has its id."""
        return self.totals.get(profile, {})


class Play(msgspec.Struct, kw_only=True):
    """A session as its household knows it; `scene` is what is shown of the current one."""

    key: str
    profile: str
    story: str
    scene: Document | None
    replay: Replay
    is_doubtful: bool = False


def differing(expected: Replay, found: Replay) -> list[str]:
    """In what two replays differ."""
    return [
        name
        for name in Replay.__struct_fields__
        if _plain(getattr(expected, name)) != _plain(getattr(found, name))
    ]


def is_further(expected: Replay, found: Replay) -> bool:
    """Whether what was found is what was expected, and steps after it."""
    return (
        found.choices[: len(expected.choices)] == expected.choices
        and found.throws[: len(expected.throws)] == expected.throws
        and found.scenes >= expected.scenes
    )


def _taken(each: Mapping[str, Any], decided: str) -> Taken:
    # What has its default is left out of what is told.
    return Taken(each.get("sceneId", ""), each.get(decided, 0), each.get("nextSceneId", ""))


def _plain(value: Any) -> Any:
    """Sums that never moved are as good as none."""
    if not isinstance(value, dict):
        return value
    parts = {name: _plain(each) for name, each in value.items()}
    return {name: each for name, each in parts.items() if each not in (0, {})}


def _tidy(value: float) -> float:
    return round(value, _DIGITS) + 0.0
