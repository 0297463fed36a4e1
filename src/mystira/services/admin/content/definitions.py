"""Definitions as staff work on them: one by one, and in whole lists."""

import functools
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from manystore.repository import Stored
from mystira.domain.definitions import use_cases
from mystira.domain.definitions.model import Definition
from mystira.domain.definitions.reading import SORTS, Sort, read_definitions
from mystira.domain.definitions.use_cases import (
    Brought,
    DefinitionChange,
    DefinitionSearch,
    Kept,
    NewDefinition,
    all_definitions,
)
from mystira.domain.files.findings import Finding
from mystira.domain.files.nodes import MOST_BYTES
from mystira.domain.files.writing import write_json, write_yaml
from mystira.domain.records import Entity
from mystira.http.callers import STAFF
from mystira.http.etags import etag, expected_version
from mystira.http.idempotency import Creation, create_once
from mystira.http.operations import Answer, Call, Operation, show, show_unchanged, show_version
from mystira.http.problems import ProblemError
from mystira.http.queries import Nothing
from mystira.http.transfers import Download, Upload, send_file
from mystira.http.views import Page
from mystira.services.admin.content.shelves import Shelves, body_of, language_of

PREFIX: Final = "/admin/api"

LIST_FILE: Final = Upload(
    media_types=("application/json", "application/yaml", "text/yaml", "application/octet-stream"),
    most_bytes=MOST_BYTES,
    meaning="A list of definitions, or lists under the names of their sorts, in JSON or YAML",
)


class DefinitionView(Entity, frozen=True, kw_only=True, rename="camel"):
    """A definition as it is shown, of whatever sort; only age groups have ages."""

    name: str
    description: str
    media_ids: list[str]
    is_deleted: bool
    minimum_age: int | None
    maximum_age: int | None
    etag: str


class ListBrought(Struct, frozen=True, kw_only=True):
    """What became of each definition of a list, and what is unusual in the file."""

    items: list[Brought]
    findings: tuple[Finding, ...]


class ListSort(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which sort the definitions are, where the file is one list."""

    sort: Sort | None = None


class ListForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In which language to write."""

    form: Literal["json", "yaml"] = "json"


class DefinitionRoutes:
    """What each operation on definitions does."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves, self._clock = shelves, shelves.clock

    def _sort(self, call: Call[Any]) -> Sort:
        for sort in SORTS:
            if sort == call.path["sort"]:
                return sort
        raise ProblemError(
            "not_found", f"There is no such sort of definitions; there are {', '.join(SORTS)}."
        )

    def _kept(self, call: Call[Any]) -> Kept:
        return self._shelves.definitions[self._sort(call)]

    async def _read(self, call: Call[Any]) -> Stored[Definition]:
        return await use_cases.read_definition(self._kept(call), call.path["definitionId"])

    async def search(self, call: Call[DefinitionSearch]) -> Answer:
        """A page of definitions."""
        found = await use_cases.list_definitions(self._kept(call), call.sent)
        return show(Page(items=[view(each) for each in found.items], continuation=found.continuation))

    async def create(self, call: Call[NewDefinition]) -> Answer:
        """Make one."""
        sort, kept = self._sort(call), self._kept(call)
        made = functools.partial(use_cases.create_definition, kept, sort, call.sent, clock=self._clock)

        async def recognise() -> Stored[Definition] | None:
            key = use_cases.id_of(sort, call.sent)
            found: Stored[Definition] | None = await kept.get(key)
            new = call.sent
            is_ours = found is not None and (
                found.value.name,
                found.value.description,
                found.value.media_ids,
            ) == (
                new.name,
                new.description,
                new.media_ids,
            )
            return found if is_ours else None

        creation = Creation(
            name=f"createDefinition:{sort}",
            make=lambda _: made(),
            read=functools.partial(use_cases.read_definition, kept),
            headers=lambda stored: {
                "Location": f"{PREFIX}/definitions/{sort}/{stored.key}",
                "ETag": etag(stored.version),
            },
            view=view,
            recognise=recognise,
        )
        return await create_once(self._shelves.keys, call, creation)

    async def read(self, call: Call[Nothing]) -> Answer:
        """One definition."""
        stored = await self._read(call)
        if call.knows(stored.version):
            return show_unchanged(stored.version)
        return show_version(view(stored), stored.version)

    async def change(self, call: Call[DefinitionChange]) -> Answer:
        """Change one."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        stored = await use_cases.change_definition(
            self._kept(call), call.path["definitionId"], call.sent, clock=self._clock, expected=expected
        )
        return show_version(view(stored), stored.version)

    async def delete(self, call: Call[Nothing]) -> Answer:
        """Mark one as deleted."""
        return await self._mark(call, use_cases.delete_definition)

    async def restore(self, call: Call[Nothing]) -> Answer:
        """Take the mark away."""
        return await self._mark(call, use_cases.restore_definition)

    async def _mark(self, call: Call[Nothing], mark: Any) -> Answer:
        expected = await expected_version(call.demand, lambda: self._read(call))
        stored = await mark(self._kept(call), call.path["definitionId"], clock=self._clock, expected=expected)
        return show_version(view(stored), stored.version)

    async def bring(self, call: Call[ListSort]) -> Answer:
        """Bring whole lists in."""
        read = read_definitions(await body_of(call).whole(), sort=call.sent.sort, language=language_of(call))
        brought = await use_cases.import_definitions(self._shelves.definitions, read, clock=self._clock)
        return show(ListBrought(items=brought, findings=read.findings))

    async def export(self, call: Call[ListForm]) -> Answer:
        """A whole list as a file."""
        sort, form = self._sort(call), call.sent.form
        document = [_entry(each) for each in await all_definitions(self._kept(call))]
        data = write_json(document) if form == "json" else write_yaml(document)
        return send_file(data, media_type=f"application/{form}", name=f"{sort}.{form}")


def view(stored: Stored[Any]) -> DefinitionView:
    """A definition as it is shown."""
    names = [name for name in DefinitionView.__struct_fields__ if name != "etag"]
    given: dict[str, Any] = {name: getattr(stored.value, name, None) for name in names}
    return DefinitionView(**given, etag=etag(stored.version))


_AGES: Final = ("minimum_age", "maximum_age")


def _entry(definition: Definition) -> dict[str, Any]:
    """A definition as an entry of a list that reads back to the same."""
    content = msgspec.structs.asdict(definition)
    ages: dict[str, Any] = {name: content[name] for name in _AGES if name in content}
    entry: dict[str, Any] = {"value": definition.id, "name": definition.name} if ages else {}
    entry |= ages or {"value": definition.name}
    entry |= {"description": definition.description} if definition.description else {}
    return entry | ({"media_ids": definition.media_ids} if definition.media_ids else {})


def definition_operations(shelves: Shelves) -> tuple[Operation[Any], ...]:
    """What can be asked about definitions."""
    routes = DefinitionRoutes(shelves)
    return (*_many(routes), *_one(routes), *_lists(routes))


def _many(routes: DefinitionRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="definitions", allows=STAFF, path="/definitions/{sort}")
    return (
        operation(
            method="GET",
            name="listDefinitions",
            summary="List the definitions of a sort",
            takes=DefinitionSearch,
            handle=routes.search,
            answers={200: Page[DefinitionView]},
            refuses=("not_found", "invalid_continuation"),
        ),
        operation(
            method="POST",
            name="createDefinition",
            summary="Make a definition",
            description="Its id is a slug of its name; that of an age group says its ages.",
            takes=NewDefinition,
            handle=routes.create,
            answers={201: DefinitionView},
            refuses=("not_found", "already_exists", "not_representable"),
            keyed=True,
            versioned=True,
            example={"name": "Patience", "description": "Waiting without haste."},
        ),
    )


def _one(routes: DefinitionRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(
        Operation,
        tag="definitions",
        allows=STAFF,
        path="/definitions/{sort}/{definitionId}",
        answers={200: DefinitionView},
        versioned=True,
    )
    changing = functools.partial(
        operation, guarded=True, refuses=("not_found", "contended", "not_representable")
    )
    return (
        operation(
            method="GET",
            name="getDefinition",
            summary="Read a definition, deleted or not",
            takes=Nothing,
            handle=routes.read,
            refuses=("not_found",),
            revalidates=True,
        ),
        changing(
            method="PATCH",
            name="changeDefinition",
            summary="Change a definition",
            description="Not its name, by which stories name it.",
            takes=DefinitionChange,
            handle=routes.change,
            example={"description": "Waiting without haste."},
        ),
        changing(
            method="DELETE",
            name="deleteDefinition",
            summary="Mark a definition as deleted",
            description="It is kept, for stories that name it, and can be restored.",
            takes=Nothing,
            handle=routes.delete,
        ),
        changing(
            method="POST",
            path="/definitions/{sort}/{definitionId}/restore",
            name="restoreDefinition",
            summary="Restore a deleted definition",
            takes=Nothing,
            handle=routes.restore,
        ),
    )


def _lists(routes: DefinitionRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="definitions", allows=STAFF)
    return (
        operation(
            method="POST",
            path="/definition-lists",
            name="importDefinitions",
            summary="Bring in whole lists of definitions",
            description=(
                "What is new is made, what was deleted restored, what differs changed, and nothing deleted. "
                "A list that is broken anywhere is refused whole."
            ),
            takes=ListSort,
            handle=routes.bring,
            answers={200: ListBrought},
            refuses=("invalid_content", "contended", "not_representable"),
            uploads=LIST_FILE,
        ),
        operation(
            method="GET",
            path="/definition-lists/{sort}",
            name="exportDefinitions",
            summary="The definitions of a sort as a file",
            takes=ListForm,
            handle=routes.export,
            answers={200: Download(media_types=("application/json", "application/yaml"))},
            refuses=("not_found",),
        ),
    )
