"""What staff do with shared characters and avatars: make them, list, change and remove them."""

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from manystore.clock import Clock
from manystore.repository import Found, Repository, Stored
from manystore.specifications import Ascending, Specification
from mystira.domain.characters.model import AvatarConfiguration, CharacterMap, CharacterMapFile
from mystira.domain.forms import AgeGroupSpan, ContentId, FilledLine, Line, Paragraphs, Phrase
from mystira.domain.ids import slug_of
from mystira.domain.records import (
    UNDATED,
    change_record,
    create_record,
    delete_record,
    merge_patch,
    read_record,
)

C = TypeVar("C", bound=CharacterMapFile)

MediaIds = Annotated[list[ContentId], Meta(max_length=200)]
Tags = Annotated[dict[Phrase, Line], Meta(max_length=100)]
Words = Annotated[list[FilledLine], Meta(max_length=50)]


class Traits(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a character is like, by the names that stories have for it."""

    role: Words = msgspec.field(default_factory=list)
    archetype: Words = msgspec.field(default_factory=list)
    species: Line = ""
    age: Annotated[int, Meta(ge=0, le=100_000)] = 0
    traits: Words = msgspec.field(default_factory=list)
    backstory: Paragraphs = ""


class NewCharacter(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A character that stories may share; without an `id` it gets a slug of its name."""

    name: FilledLine
    id: ContentId | None = None
    description: Paragraphs = ""
    media_ids: MediaIds = msgspec.field(default_factory=list)
    tags: Tags = msgspec.field(default_factory=dict)
    metadata: Traits = msgspec.field(default_factory=Traits)


class CharacterChange(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What can be changed of a character; tags and metadata are replaced whole."""

    name: FilledLine | UnsetType = UNSET
    description: Paragraphs | UnsetType = UNSET
    media_ids: MediaIds | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    metadata: Traits | UnsetType = UNSET


class NewAvatars(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The avatars that profiles of an age group may choose from; without an `id`, named by the group."""

    name: FilledLine
    age_group: AgeGroupSpan
    id: ContentId | None = None
    description: Paragraphs = ""
    media_ids: MediaIds = msgspec.field(default_factory=list)
    tags: Tags = msgspec.field(default_factory=dict)


class AvatarsChange(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What can be changed of avatars; tags are replaced whole."""

    name: FilledLine | UnsetType = UNSET
    age_group: AgeGroupSpan | UnsetType = UNSET
    description: Paragraphs | UnsetType = UNSET
    media_ids: MediaIds | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET


class CharacterSearch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many to list, by name, and where a former page ended."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    continuation: Annotated[str, Meta(max_length=4000)] | None = None


def character_of(new: NewCharacter) -> CharacterMap:
    """The character that is to be made, undated."""
    return CharacterMap(
        id=new.id or slug_of(new.name) or "character",
        created_at=UNDATED,
        name=new.name,
        description=new.description,
        media_ids=new.media_ids,
        tags=dict(new.tags),
        metadata=msgspec.to_builtins(new.metadata),
    )


def avatars_of(new: NewAvatars) -> AvatarConfiguration:
    """The avatars that are to be made, undated."""
    return AvatarConfiguration(
        id=new.id or f"avatars-{new.age_group}",
        created_at=UNDATED,
        name=new.name,
        description=new.description,
        age_group=new.age_group,
        media_ids=new.media_ids,
        tags=dict(new.tags),
    )


async def create(kept: Repository[C], made: C, *, clock: Clock) -> Stored[C]:
    """Keep a new one. Raises AlreadyExistsError."""
    now = clock.now()
    return await create_record(kept, msgspec.structs.replace(made, created_at=now, updated_at=now))


async def read(kept: Repository[C], key: str) -> Stored[C]:
    """One of them. Raises NotFoundError."""
    return await read_record(kept, key)


async def search(kept: Repository[C], asked: CharacterSearch) -> Found[C]:
    """One page, by name. Raises InvalidSpecificationError for a continuation of another search."""
    return await kept.find(
        Specification(order=(Ascending("name"),), limit=asked.limit, continuation=asked.continuation)
    )


async def change(
    kept: Repository[C],
    key: str,
    change: CharacterChange | AvatarsChange,
    *,
    clock: Clock,
    expected: int | None,
) -> Stored[C]:
    """Change one at the `expected` version. Raises NotFoundError, VersionMismatchError, ContendedError."""
    metadata: Any = getattr(change, "metadata", UNSET)

    def alter(value: C) -> C:
        if metadata is UNSET:
            return merge_patch(value, change)
        rest = merge_patch(value, msgspec.structs.replace(change, metadata=UNSET))
        return msgspec.structs.replace(rest, metadata=msgspec.to_builtins(metadata))

    return await change_record(kept, key, alter, now=clock.now(), expected=expected)


async def delete(kept: Repository[C], key: str, *, expected: int | None) -> None:
    """Remove one. Raises NotFoundError, VersionMismatchError, ContendedError."""
    await delete_record(kept, key, expected=expected)
