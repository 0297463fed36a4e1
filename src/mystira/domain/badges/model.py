"""What badges are, as content: which sum on which axis earns them, in which age group.

What a player has earned lies in the profile (`mystira.domain.profiles`).
"""

from typing import Any, Final, Literal

import msgspec

from mystira.domain.records import Entity

Tier = Literal["bronze", "silver", "gold", "platinum", "diamond"]

TIERS: Final[tuple[Tier, ...]] = ("bronze", "silver", "gold", "platinum", "diamond")
"""From the first that is reached to the last."""


class Badge(Entity, frozen=True, kw_only=True, rename="camel"):
    """Given to a profile of the age group whose sum on the axis reaches `required_score`."""

    age_group: str
    axis: str
    tier: Tier
    title: str
    description: str = ""
    required_score: float = 0.0
    image_id: str = ""


class BadgeImage(Entity, frozen=True, kw_only=True, rename="camel"):
    """A picture of badges, and the media that it is made of."""

    name: str
    description: str = ""
    media_ids: list[str] = msgspec.field(default_factory=list)
    tags: dict[str, Any] = msgspec.field(default_factory=dict)


class AxisAchievement(Entity, frozen=True, kw_only=True, rename="camel"):
    """What moving along an axis means at an age."""

    age_group: str
    axis: str
    direction: Literal["positive", "negative"] = "positive"
    description: str = ""


class BadgeConfiguration(Entity, frozen=True, kw_only=True, rename="camel"):
    """A badge for one threshold on one axis, whatever the age: how earlier content declared them."""

    name: str
    description: str = ""
    axis: str = ""
    threshold: float = 0.0
    message: str = ""
    image_id: str = ""
    media_ids: list[str] = msgspec.field(default_factory=list)
    tags: dict[str, Any] = msgspec.field(default_factory=dict)
