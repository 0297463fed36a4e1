"""What a definition is: a word that stories may use, explained once. None is ever lost: it is marked."""

from typing import Any

import msgspec

from mystira.domain.records import Entity


class Definition(Entity, frozen=True, kw_only=True, rename="camel"):
    """An axis, an archetype, an echo type or a theme; `id` is a slug of its name."""

    name: str
    description: str = ""
    media_ids: list[str] = msgspec.field(default_factory=list)
    tags: dict[str, Any] = msgspec.field(default_factory=dict)
    is_deleted: bool = False


class AgeGroup(Definition, frozen=True, kw_only=True, rename="camel"):
    """From which age to which, in whole years, both included; `id` spells it, such as `6-9`."""

    minimum_age: int
    maximum_age: int
