"""What a session is, as it is stored, and what may be asked of one from outside.

`events` is what happened. Every other field of `GameSession` follows from it (see `fold`) and is kept so that
nobody has to tell the whole story again to learn how it stands. Parts have defaults for everything, because
sessions of a former system must stay readable; those have no events, and cannot be played on.
"""

import datetime as dt
import enum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from mystira.domain.forms import AgeGroupSpan, ContentId, Phrase, RecordId
from mystira.domain.records import Entity
from mystira.domain.sessions.events import Event, Part, Player, SessionStarted


class SessionStatus(enum.StrEnum):
    """How a session stands."""

    NOT_STARTED = "NotStarted"
    IN_PROGRESS = "InProgress"
    PAUSED = "Paused"
    COMPLETED = "Completed"
    ABANDONED = "Abandoned"

    @property
    def is_live(self) -> bool:
        """Whether it may still go on."""
        return self in (SessionStatus.IN_PROGRESS, SessionStatus.PAUSED)


class CharacterAssignment(Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Which player is which character."""

    character_id: str = ""
    player_id: str = ""
    player_name: str = ""
    profile_id: str | None = None


class ChoiceTaken(Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A choice, and where it led."""

    scene_id: str = ""
    choice: str = ""
    branch: int = 0
    next_scene_id: str = ""
    player_id: str = ""
    at: dt.datetime | None = None


class RollThrown(Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A throw of the d20, and where it led."""

    scene_id: str = ""
    value: int = 0
    difficulty: float = 0.0
    has_succeeded: bool = False
    next_scene_id: str = ""
    player_id: str = ""
    at: dt.datetime | None = None


class EchoLeft(Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An echo. `scene_number` is the number of the scene in which it was left, the first being 1."""

    echo_type: str = ""
    description: str = ""
    strength: float = 0.0
    scene_id: str = ""
    scene_number: int = 0
    at: dt.datetime | None = None


class RevealMade(Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An echo that came back on entering a scene."""

    scene_id: str = ""
    declared_in: str = ""
    number: int = 0
    echo_type: str = ""
    description: str = ""
    strength: float = 0.0
    echo_scene_id: str = ""
    mechanic: str = "none"
    is_required: bool = False
    at: dt.datetime | None = None


class CompassStep(Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One movement along an axis, and the value that it led to."""

    delta: float = 0.0
    value: float = 0.0
    player_id: str = ""
    at: dt.datetime | None = None


class CompassValue(Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Where a session stands on an axis, from -2 to 2."""

    current: float = 0.0
    starting: float = 0.0
    history: list[CompassStep] = msgspec.field(default_factory=list)
    last_updated: dt.datetime | None = None


class Achievement(Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A badge that a profile earned by this session."""

    profile_id: str = ""
    badge_id: str = ""
    axis: str = ""
    tier: str = ""
    title: str = ""
    image_id: str = ""
    at: dt.datetime | None = None


class GameSession(Entity, frozen=True, kw_only=True, rename="camel"):
    """One play of a story.

    `live_key` is unique and is there only while the session may go on: one live session for each account,
    story and profile. `accumulated_pause` is in seconds. `scene_count` counts the scenes entered.
    `player_compass_totals` are the sums of what counted for each player on each axis, however large.
    """

    scenario_id: str
    account_id: str
    profile_id: str
    live_key: str | None = None
    player_names: list[str] = msgspec.field(default_factory=list)
    character_assignments: list[CharacterAssignment] = msgspec.field(default_factory=list)
    status: SessionStatus = SessionStatus.NOT_STARTED
    current_scene_id: str | None = None
    events: list[Event] = msgspec.field(default_factory=list)
    choice_history: list[ChoiceTaken] = msgspec.field(default_factory=list)
    roll_history: list[RollThrown] = msgspec.field(default_factory=list)
    echo_history: list[EchoLeft] = msgspec.field(default_factory=list)
    reveal_history: list[RevealMade] = msgspec.field(default_factory=list)
    compass_values: dict[str, CompassValue] = msgspec.field(default_factory=dict)
    player_compass_totals: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)
    achievements: list[Achievement] = msgspec.field(default_factory=list)
    start_time: dt.datetime | None = None
    end_time: dt.datetime | None = None
    paused_at: dt.datetime | None = None
    accumulated_pause: float = 0.0
    scene_count: int = 0
    target_age_group: str = "6-9"
    selected_character_id: str | None = None

    @property
    def players(self) -> list[Player]:
        """Who plays, in the order in which they sat down; nobody in a session of a former system."""
        first = self.events[0] if self.events else None
        return first.players if isinstance(first, SessionStarted) else []

    @property
    def profile_ids(self) -> list[str]:
        """The profiles that a score is kept for: the owner's, and those of the players who have one."""
        played = [player.profile_id for player in self.players if player.profile_id is not None]
        return list(dict.fromkeys([self.profile_id, *played]))

    def elapsed(self, now: dt.datetime) -> float:
        """The seconds played so far, without the pauses."""
        if self.start_time is None:
            return 0.0
        until = self.end_time or self.paused_at or now
        return max(0.0, (until - self.start_time).total_seconds() - self.accumulated_pause)


def live_key(account_id: str, scenario_id: str, profile_id: str) -> str:
    """The value that no two live sessions share."""
    return f"{account_id}:{scenario_id}:{profile_id}"


class NewPlayer(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Somebody who is to play: a profile of the account, or a guest, of whom only the name is known."""

    name: Phrase | None = None
    profile_id: RecordId | None = None
    character_id: ContentId | None = None


class NewSession(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is asked when a story is begun.

    `profile_id` is the owner's. The target age group is that of the owner's profile where none is given.
    """

    scenario_id: ContentId
    profile_id: RecordId
    players: Annotated[list[NewPlayer], Meta(min_length=1, max_length=12)]
    account_id: RecordId | None = None
    target_age_group: AgeGroupSpan | None = None


SceneId = Annotated[str, Meta(min_length=1, max_length=255)]
PlayerId = Annotated[str, Meta(min_length=1, max_length=64)]
SceneNumber = Annotated[int, Meta(ge=1, le=1_000_000)]


class Choose(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A branch of the current scene, by its number in the scene, from 0.

    `scene_count` says which visit of the scene is meant, where a story leads back to it.
    """

    scene_id: SceneId
    branch: Annotated[int, Meta(ge=0, le=999)]
    player_id: PlayerId | None = None
    scene_count: SceneNumber | None = None


class ReadOn(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The current scene has been read."""

    scene_id: SceneId
    scene_count: SceneNumber | None = None


class Roll(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The d20 is to be thrown for the current scene."""

    scene_id: SceneId
    player_id: PlayerId | None = None
    scene_count: SceneNumber | None = None


SessionOrder = Literal["createdAt", "-createdAt", "updatedAt", "-updatedAt"]


class SessionSearch(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which sessions to list: those that satisfy all that is given. `is_live`: in progress or paused."""

    account_id: RecordId | None = None
    profile_id: RecordId | None = None
    scenario_id: ContentId | None = None
    status: SessionStatus | None = None
    is_live: bool | None = None
    order: SessionOrder = "-createdAt"
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    continuation: Annotated[str, Meta(max_length=4096)] | None = None
