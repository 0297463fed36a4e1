"""Characters that stories share, and avatars, as staff work on them. Both are asked for alike."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from manystore.repository import Repository, Stored
from mystira.domain.characters import use_cases
from mystira.domain.characters.kind import AVATAR_CONFIGURATIONS, CHARACTER_MAPS
from mystira.domain.characters.model import AvatarConfiguration, CharacterMap, CharacterMapFile
from mystira.domain.characters.use_cases import (
    AvatarsChange,
    CharacterChange,
    CharacterSearch,
    NewAvatars,
    NewCharacter,
    avatars_of,
    character_of,
)
from mystira.http.callers import STAFF
from mystira.http.etags import etag, expected_version
from mystira.http.idempotency import Creation, create_once
from mystira.http.operations import Answer, Call, Operation, show_nothing
from mystira.http.queries import Nothing
from mystira.http.views import Page, show_page, show_record, show_unless_known, view
from mystira.services.admin.content.shelves import Shelves

PREFIX: Final = "/admin/api"

C = TypeVar("C", bound=CharacterMapFile)


class CharacterView(CharacterMap, frozen=True, kw_only=True, rename="camel"):
    """A character as it is shown; `etag` goes into If-Match as it stands."""

    etag: str


class AvatarsView(AvatarConfiguration, frozen=True, kw_only=True, rename="camel"):
    """Avatars as they are shown; `etag` goes into If-Match as it stands."""

    etag: str


class Sort(Struct, Generic[C], frozen=True, kw_only=True):
    """One sort of record: how it is called in paths and words, what is taken, made and shown."""

    path: str
    parameter: str
    name: str
    words: str
    new: type[Struct]
    change: type[Struct]
    view: type[Struct]
    make: Callable[[Any], C]
    example: Mapping[str, Any]


CHARACTERS: Final = Sort(
    path="/character-maps",
    parameter="characterId",
    name="CharacterMap",
    words="a character that stories share",
    new=NewCharacter,
    change=CharacterChange,
    view=CharacterView,
    make=character_of,
    example={"name": "Mara", "metadata": {"species": "otter", "age": 8}},
)
AVATARS: Final = Sort(
    path="/avatars",
    parameter="avatarsId",
    name="Avatars",
    words="the avatars of an age group",
    new=NewAvatars,
    change=AvatarsChange,
    view=AvatarsView,
    make=avatars_of,
    example={"name": "Animals", "ageGroup": "6-9", "mediaIds": ["otter", "heron"]},
)


class CharacterRoutes(Generic[C]):
    """What each operation on one sort of record does."""

    def __init__(self, sort: Sort[C], kept: Repository[C], shelves: Shelves) -> None:
        self._sort, self._kept = sort, kept
        self._clock, self._keys = shelves.clock, shelves.keys

    def _key(self, call: Call[Any]) -> str:
        return call.path[self._sort.parameter]

    async def _read(self, call: Call[Any]) -> Stored[C]:
        return await use_cases.read(self._kept, self._key(call))

    async def create(self, call: Call[Any]) -> Answer:
        """Make one."""
        made = self._sort.make(call.sent)

        async def make(_: str | None) -> Stored[C]:
            return await use_cases.create(self._kept, made, clock=self._clock)

        async def recognise() -> Stored[C] | None:
            found = await self._kept.get(made.id)
            if found is None:
                return None
            times = {name: getattr(found.value, name) for name in ("created_at", "updated_at")}
            return found if msgspec.structs.replace(made, **times) == found.value else None

        creation = Creation(
            name=f"create{self._sort.name}",
            make=make,
            read=functools.partial(use_cases.read, self._kept),
            headers=lambda stored: {
                "Location": f"{PREFIX}{self._sort.path}/{stored.key}",
                "ETag": etag(stored.version),
            },
            view=functools.partial(view, self._sort.view),
            recognise=recognise,
        )
        return await create_once(self._keys, call, creation)

    async def search(self, call: Call[CharacterSearch]) -> Answer:
        """A page of them."""
        return show_page(self._sort.view, await use_cases.search(self._kept, call.sent))

    async def read(self, call: Call[Nothing]) -> Answer:
        """One of them."""
        return await show_unless_known(self._sort.view, call, lambda: self._read(call))

    async def change(self, call: Call[Any]) -> Answer:
        """Change one."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        stored = await use_cases.change(
            self._kept, self._key(call), call.sent, clock=self._clock, expected=expected
        )
        return show_record(self._sort.view, stored)

    async def delete(self, call: Call[Nothing]) -> Answer:
        """Remove one."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        await use_cases.delete(self._kept, self._key(call), expected=expected)
        return show_nothing()


def character_operations(shelves: Shelves) -> tuple[Operation[Any], ...]:
    """What can be asked about shared characters and avatars."""
    characters = shelves.platform.repository(CharacterMap, CHARACTER_MAPS)
    avatars = shelves.platform.repository(AvatarConfiguration, AVATAR_CONFIGURATIONS)
    return (
        *_operations(CHARACTERS, CharacterRoutes(CHARACTERS, characters, shelves)),
        *_operations(AVATARS, CharacterRoutes(AVATARS, avatars, shelves)),
    )


def _operations(sort: Sort[C], routes: CharacterRoutes[C]) -> tuple[Operation[Any], ...]:
    return (*_many(sort, routes), *_one(sort, routes))


def _many(sort: Sort[C], routes: CharacterRoutes[C]) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="characters", allows=STAFF, path=sort.path)
    return (
        operation(
            method="GET",
            name=f"list{sort.name}",
            summary=f"List what is there of this: {sort.words}",
            takes=CharacterSearch,
            handle=routes.search,
            answers={200: Page[sort.view]},  # type: ignore[name-defined]
            refuses=("invalid_continuation",),
        ),
        operation(
            method="POST",
            name=f"create{sort.name}",
            summary=f"Make {sort.words}",
            takes=sort.new,
            handle=routes.create,
            answers={201: sort.view},
            refuses=("already_exists", "not_representable"),
            keyed=True,
            versioned=True,
            example=sort.example,
        ),
    )


def _one(sort: Sort[C], routes: CharacterRoutes[C]) -> tuple[Operation[Any], ...]:
    path = f"{sort.path}/{{{sort.parameter}}}"
    operation = functools.partial(Operation, tag="characters", allows=STAFF, path=path)
    return (
        operation(
            method="GET",
            name=f"get{sort.name}",
            summary=f"Read {sort.words}",
            takes=Nothing,
            handle=routes.read,
            answers={200: sort.view},
            refuses=("not_found",),
            revalidates=True,
            versioned=True,
        ),
        operation(
            method="PATCH",
            name=f"change{sort.name}",
            summary=f"Change {sort.words}",
            takes=sort.change,
            handle=routes.change,
            answers={200: sort.view},
            refuses=("not_found", "contended", "not_representable"),
            guarded=True,
            versioned=True,
            example={"description": "By the river."},
        ),
        operation(
            method="DELETE",
            name=f"delete{sort.name}",
            summary=f"Remove {sort.words}",
            takes=Nothing,
            handle=routes.delete,
            answers={204: None},
            refuses=("not_found", "contended"),
            guarded=True,
        ),
    )
