"""What happens in the play of a story, in the past tense; a session is nothing but the sum of these.

Each event says when it happened and what it decided, so that a session can be told again (`fold`) without the
story, which its authors may have changed meanwhile. They are written small: what has its default is left out.
"""

import datetime as dt

import msgspec
from msgspec import Struct


class Part(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A piece of an event, or of what follows from it."""


class Player(Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Somebody who plays: a profile, whose id is then also the player's, or a guest, who is only named."""

    id: str
    name: str
    profile_id: str | None = None
    character_id: str | None = None


class Echo(Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a choice leaves behind; strength from -1 to 1."""

    echo_type: str
    description: str = ""
    strength: float = 0.0


class Movement(Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """How far a choice moves its player along an axis."""

    axis: str
    delta: float
    developmental_link: str | None = None


class _Happened(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag_field="type"):
    """Anything that happens; `at` never goes back within a session."""

    at: dt.datetime


class SessionStarted(_Happened, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag=True):
    """A group began a story. `axes` are those on whose values the session begins, at zero."""

    session_id: str
    scenario_id: str
    account_id: str
    profile_id: str
    players: list[Player]
    first_scene_id: str
    target_age_group: str
    axes: list[str] = msgspec.field(default_factory=list)


class ChoiceMade(_Happened, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag=True):
    """A branch was taken. `player_id` is the player for whom its movement counts."""

    scene_id: str
    branch: int
    choice: str
    next_scene_id: str
    player_id: str
    echo: Echo | None = None
    movement: Movement | None = None


class DiceRolled(_Happened, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag=True):
    """A d20 fell on `value`, and decided the branch."""

    scene_id: str
    value: int
    difficulty: float
    has_succeeded: bool
    choice: str
    next_scene_id: str
    player_id: str
    echo: Echo | None = None
    movement: Movement | None = None


class SceneLeft(_Happened, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag=True):
    """A scene that asks nothing was read, and the next one turned to."""

    scene_id: str
    next_scene_id: str


class EchoRevealed(_Happened, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag=True):
    """An earlier choice came back. The reveal is the one that scene `declared_in` lists under `number`."""

    scene_id: str
    declared_in: str
    number: int
    echo: Echo
    echo_scene_id: str
    mechanic: str = "none"
    is_required: bool = False


class SessionPaused(_Happened, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag=True):
    """The players laid the story aside."""


class SessionResumed(_Happened, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag=True):
    """The players took the story up again."""


class SessionCompleted(_Happened, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag=True):
    """The story came to an end, or the players brought it to one (`was_asked_for`)."""

    was_asked_for: bool = False


class SessionAbandoned(_Happened, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag=True):
    """The players gave the story up."""


class BadgeEarned(_Happened, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag=True):
    """A completed session brought a profile a badge."""

    profile_id: str
    badge_id: str
    axis: str
    tier: str
    title: str
    image_id: str = ""


Event = (
    SessionStarted
    | ChoiceMade
    | DiceRolled
    | SceneLeft
    | EchoRevealed
    | SessionPaused
    | SessionResumed
    | SessionCompleted
    | SessionAbandoned
    | BadgeEarned
)
