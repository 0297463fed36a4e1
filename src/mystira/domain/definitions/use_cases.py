"""What staff do with definitions: make, change, delete and restore them, bring in whole lists."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from manystore.clock import Clock
from manystore.repository import Found, Repository, Stored
from manystore.specifications import Ascending, Predicate, Specification, field
from mystira.domain.definitions.model import AgeGroup, Definition
from mystira.domain.definitions.reading import Definitions, Sort
from mystira.domain.errors import AlreadyExistsError, InvalidValueError, NotFoundError
from mystira.domain.files.errors import InvalidContentError
from mystira.domain.forms import ContentId, FilledLine, Paragraphs
from mystira.domain.ids import slug_of
from mystira.domain.records import change_record, create_record, merge_patch, read_record

Kept = Repository[Any]
"""Definitions of one sort: Definition, or AgeGroup for the age groups."""

Shelf = Mapping[Sort, Kept]
"""All five sorts."""

Outcome = Literal["created", "changed", "restored", "unchanged"]

_PAGE: Final = 500
_MOST: Final = 10_000

Age = Annotated[int, Meta(ge=0, le=150)]


class NewDefinition(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A word to be known. An age group needs both ages, and nothing else has any."""

    name: FilledLine
    description: Paragraphs = ""
    media_ids: Annotated[list[ContentId], Meta(max_length=100)] = msgspec.field(default_factory=list)
    minimum_age: Age | None = None
    maximum_age: Age | None = None


class DefinitionChange(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What can be changed of a definition: not what stories name it by."""

    description: Paragraphs | UnsetType = UNSET
    media_ids: Annotated[list[ContentId], Meta(max_length=100)] | UnsetType = UNSET


class DefinitionSearch(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which definitions to list, by name."""

    include_deleted: bool = False
    limit: Annotated[int, Meta(ge=1, le=500)] = 200
    continuation: Annotated[str, Meta(max_length=4000)] | None = None


class Brought(Struct, frozen=True, kw_only=True):
    """What became of one definition of a list."""

    sort: Sort
    id: str
    name: str
    outcome: Outcome


async def create_definition(
    kept: Kept, sort: Sort, new: NewDefinition, *, clock: Clock
) -> Stored[Definition]:
    """Make a definition; its id is a slug of its name, that of an age group its ages.

    Raises InvalidValueError, AlreadyExistsError (also where it was deleted: restore it).
    """
    now, key = clock.now(), id_of(sort, new)
    given: dict[str, Any] = {
        "id": key,
        "created_at": now,
        "updated_at": now,
        "name": new.name,
        "description": new.description,
        "media_ids": new.media_ids,
    }
    ages: dict[str, Any] = {"minimum_age": new.minimum_age, "maximum_age": new.maximum_age}
    made = AgeGroup(**given, **ages) if sort == "age-groups" else Definition(**given)
    return await create_record(kept, made)


def id_of(sort: Sort, new: NewDefinition) -> str:
    """The id that a new definition gets. Raises InvalidValueError where it can have none."""
    youngest, oldest = new.minimum_age, new.maximum_age
    if sort == "age-groups":
        if youngest is None or oldest is None or youngest > oldest:
            raise InvalidValueError(field="minimumAge", reason="an age group has two ages, the lesser first")
        return f"{youngest}-{oldest}"
    if youngest is not None or oldest is not None:
        raise InvalidValueError(field="minimumAge", reason="only age groups have ages")
    key = slug_of(new.name)
    if not key:
        raise InvalidValueError(field="name", reason="it has no letter from which an id could be made")
    return key


async def read_definition(kept: Kept, key: str) -> Stored[Definition]:
    """The definition, deleted or not. Raises NotFoundError."""
    return await read_record(kept, key)


async def list_definitions(kept: Kept, search: DefinitionSearch) -> Found[Definition]:
    """One page, by name. Raises InvalidSpecificationError for a continuation of another search."""
    return await kept.find(
        Specification(
            where=_living() if not search.include_deleted else field("id") != "",
            order=(Ascending("name"),),
            limit=search.limit,
            continuation=search.continuation,
        )
    )


async def change_definition(
    kept: Kept, key: str, change: DefinitionChange, *, clock: Clock, expected: int | None
) -> Stored[Definition]:
    """Change a definition, at the `expected` version.

    Raises NotFoundError, VersionMismatchError, ContendedError.
    """

    def alter(value: Definition) -> Definition:
        return merge_patch(value, change)

    return await change_record(kept, key, alter, now=clock.now(), expected=expected)


async def delete_definition(
    kept: Kept, key: str, *, clock: Clock, expected: int | None
) -> Stored[Definition]:
    """Mark a definition as deleted: it is kept, and can be restored. Raises as `change_definition`."""
    return await _mark(kept, key, clock, expected, is_deleted=True)


async def restore_definition(
    kept: Kept, key: str, *, clock: Clock, expected: int | None
) -> Stored[Definition]:
    """Take the mark of deletion away. Raises as `change_definition`."""
    return await _mark(kept, key, clock, expected, is_deleted=False)


async def all_definitions(kept: Kept, *, including_deleted: bool = False) -> list[Definition]:
    """Every definition of a sort, by name."""
    found: list[Definition] = []
    search = DefinitionSearch(include_deleted=including_deleted, limit=_PAGE)
    while len(found) < _MOST:
        page = await list_definitions(kept, search)
        found += [stored.value for stored in page.items]
        if page.continuation is None:
            break
        search = msgspec.structs.replace(search, continuation=page.continuation)
    return found


async def known_definitions(shelf: Shelf) -> dict[Sort, list[Definition]]:
    """Every definition of each sort that has any: where there are none, no word is wrong."""
    known = {sort: await all_definitions(kept) for sort, kept in shelf.items()}
    return {sort: definitions for sort, definitions in known.items() if definitions}


async def import_definitions(shelf: Shelf, read: Definitions, *, clock: Clock) -> list[Brought]:
    """Bring in whole lists: what is new is made, what was deleted restored, what differs changed.

    Nothing is deleted. A list that is broken anywhere is refused before anything is written; brought in
    again, it changes nothing. Raises InvalidContentError, ContendedError.
    """
    if not read.is_sound:
        raise InvalidContentError(name="The list", findings=read.findings)
    return [
        Brought(sort=sort, id=each.id, name=each.name, outcome=await _bring(shelf[sort], each, clock))
        for sort, definitions in read.read.items()
        for each in definitions
    ]


async def _bring(kept: Kept, definition: Definition, clock: Clock) -> Outcome:
    now = clock.now()
    try:
        former = await read_record(kept, definition.id)
    except NotFoundError:
        made = msgspec.structs.replace(definition, created_at=now, updated_at=now)
        try:
            await create_record(kept, made)
        except AlreadyExistsError:
            # Somebody else brings in the same list.
            former = await read_record(kept, definition.id)
        else:
            return "created"

    def alter(value: Definition) -> Definition:
        # What the list does not say stays as somebody has written it.
        said = {name: getattr(definition, name) for name in ("description", "media_ids")}
        return msgspec.structs.replace(
            value,
            name=definition.name,
            is_deleted=False,
            **{name: each for name, each in said.items() if each},
        )

    changed = await change_record(kept, definition.id, alter, now=now)
    if changed.version == former.version:
        return "unchanged"
    return "restored" if former.value.is_deleted else "changed"


async def _mark(
    kept: Kept, key: str, clock: Clock, expected: int | None, *, is_deleted: bool
) -> Stored[Definition]:
    def alter(value: Definition) -> Definition:
        return msgspec.structs.replace(value, is_deleted=is_deleted)

    return await change_record(kept, key, alter, now=clock.now(), expected=expected)


def _living() -> Predicate:
    # Old records may lack the mark, and are not deleted then.
    return ~(field("isDeleted") == True)  # noqa: E712 - written for the store, not for Python
