"""What a profile is, and what may be said about one from outside. Most profiles are children's.

As with accounts, `UserProfile` and `UserBadge` are what is stored; the other structures are what people
and games send. A badge lies within its profile's document, which says whose it is; in SQL it is a row of
its own.
"""

import datetime as dt
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from mystira.domain.forms import (
    AgeGroupSpan,
    ContentId,
    FilledLine,
    Line,
    Paragraphs,
    Phrase,
    RecordId,
    ShortLine,
)
from mystira.domain.records import Entity

Themes = Annotated[list[Phrase], Meta(max_length=50)]
MediaId = ContentId


class UserBadge(Struct, frozen=True, kw_only=True, rename="camel"):
    """A badge that a profile has earned: `trigger_value` on `axis` reached `threshold`."""

    id: str
    badge_configuration_id: str
    badge_name: str
    axis: str
    earned_at: dt.datetime
    badge_id: str | None = None
    badge_message: str = ""
    trigger_value: float = 0.0
    threshold: float = 0.0
    game_session_id: str | None = None
    scenario_id: str | None = None
    image_id: str = ""


class UserProfile(Entity, frozen=True, kw_only=True, rename="camel"):
    """One profile as it is stored; without an account it belongs to nobody who signed up."""

    account_id: str | None = None
    name: str = ""
    age_group: str = "6-9"
    date_of_birth: dt.date | None = None
    is_guest: bool = False
    is_npc: bool = False
    pronouns: str | None = None
    bio: str | None = None
    avatar_media_id: str | None = None
    selected_avatar_media_id: str | None = None
    preferred_themes: list[str] = msgspec.field(default_factory=list)
    has_completed_onboarding: bool = False
    earned_badges: list[UserBadge] = msgspec.field(default_factory=list)


class NewProfile(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is asked when a profile is made."""

    name: FilledLine
    account_id: RecordId | None = None
    age_group: AgeGroupSpan = "6-9"
    date_of_birth: dt.date | None = None
    is_guest: bool = False
    is_npc: bool = False
    pronouns: ShortLine | None = None
    bio: Paragraphs | None = None
    avatar_media_id: MediaId | None = None
    selected_avatar_media_id: MediaId | None = None
    preferred_themes: Themes = msgspec.field(default_factory=list)
    has_completed_onboarding: bool = False


class ProfileChange(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What may change about a profile; properties left out stay, null takes a value away (RFC 7396)."""

    name: FilledLine | UnsetType = UNSET
    account_id: RecordId | UnsetType | None = UNSET
    age_group: AgeGroupSpan | UnsetType = UNSET
    date_of_birth: dt.date | UnsetType | None = UNSET
    is_guest: bool | UnsetType = UNSET
    pronouns: ShortLine | UnsetType | None = UNSET
    bio: Paragraphs | UnsetType | None = UNSET
    avatar_media_id: MediaId | UnsetType | None = UNSET
    selected_avatar_media_id: MediaId | UnsetType | None = UNSET
    preferred_themes: Themes | UnsetType = UNSET
    has_completed_onboarding: bool | UnsetType = UNSET


class BadgeAward(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A badge to be given for a configuration that was met."""

    badge_configuration_id: ContentId
    badge_name: FilledLine
    axis: Phrase
    badge_id: ContentId | None = None
    badge_message: Paragraphs = ""
    trigger_value: float = 0.0
    threshold: float = 0.0
    game_session_id: ContentId | None = None
    scenario_id: ContentId | None = None
    image_id: Line = ""


ProfileOrder = Literal["createdAt", "-createdAt", "name", "-name"]


class ProfileSearch(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which profiles to list: those that satisfy all that is given.

    A minus before the order means largest first. `continuation` is what the page before ended with.
    """

    account_id: RecordId | None = None
    age_group: AgeGroupSpan | None = None
    is_guest: bool | None = None
    order: ProfileOrder = "createdAt"
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    continuation: Annotated[str, Meta(max_length=4096)] | None = None
