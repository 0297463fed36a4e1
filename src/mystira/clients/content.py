"""The Admin API's part for content as its callers see it: files in, outcomes and files out."""

import uuid
from pathlib import Path
from typing import IO, Any, Final, Literal
from urllib.parse import quote

from mystira.clients.errors import ProblemError
from mystira.clients.service import Answer, Service

Document = dict[str, Any]
Existing = Literal["keep", "replace"]
AvatarsOutcome = Literal["created", "replaced", "unchanged", "exists"]

PATIENCE: Final = 600.0
"""Seconds that a bundle of films may take on its way in."""

_TYPES: Final = {".yaml": "application/yaml", ".yml": "application/yaml", ".json": "application/json"}
_BYTES: Final = "application/octet-stream"
_PREFIX: Final = "/admin/api"


class ContentClient:
    """The content of one platform. Every call raises ProblemError and UnreachableError."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def create_story(self, data: bytes, name: str, *, publish: bool) -> Answer:
        """Bring a new story in; `replayed` where it is there already, just so."""
        query = {"publish": "true"} if publish else None
        # A key of its own lets the platform tell the very same story from another one of that id.
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return await self._service.send(
            "POST", f"{_PREFIX}/scenarios", data, media_type=type_of(name), query=query, headers=headers
        )

    async def replace_story(self, key: str, data: bytes, name: str) -> bool:
        """Put a file in the place of a story's text; whether that changed anything."""
        path = f"{_PREFIX}/scenarios/{quote(key, safe='')}"
        etag = (await self._service.ask("GET", path)).etag or "*"
        answer = await self._service.send(
            "PUT", path, data, media_type=type_of(name), headers={"If-Match": etag}
        )
        return answer.etag != etag

    async def step(self, key: str, step: Literal["publish", "withdraw"]) -> Document:
        """Publish or withdraw a story, whatever its version."""
        path = f"{_PREFIX}/scenarios/{quote(key, safe='')}/{step}"
        return _document(await self._service.ask("POST", path, headers={"If-Match": "*"}))

    async def stories(self) -> list[Document]:
        """All stories, by title, without their scenes."""
        return await self._all(f"{_PREFIX}/scenarios")

    async def bundles(self) -> list[Document]:
        """The records of all bundles, by title."""
        return await self._all(f"{_PREFIX}/bundles")

    async def import_definitions(self, data: bytes, name: str, sort: str | None) -> Document:
        """Bring in lists of definitions."""
        query = None if sort is None else {"sort": sort}
        path = f"{_PREFIX}/definition-lists"
        return _document(await self._service.send("POST", path, data, media_type=type_of(name), query=query))

    async def import_badges(self, data: bytes, name: str) -> Document:
        """Put a badge set in the place of its age group's."""
        path = f"{_PREFIX}/badge-sets"
        return _document(await self._service.send("POST", path, data, media_type=type_of(name)))

    async def add_media(self, key: str, path: Path) -> Answer:
        """Bring a piece of media in; `replayed` where it is there already, just so."""
        return await self._service.send(
            "POST",
            f"{_PREFIX}/media",
            path,
            media_type=_BYTES,
            query={"mediaId": key},
            headers={"Idempotency-Key": str(uuid.uuid4())},
        )

    async def replace_media(self, key: str, path: Path) -> None:
        """Put a file in the place of a piece's bytes, whatever its version."""
        address = f"{_PREFIX}/media/{quote(key, safe='')}/content"
        await self._service.send("PUT", address, path, media_type=_BYTES, headers={"If-Match": "*"})

    async def put_avatars(self, avatars: Document, *, replace: bool) -> AvatarsOutcome:
        """Keep the avatars of an age group, in the place of former ones only where that is wished."""
        path, headers = f"{_PREFIX}/avatars", {"Idempotency-Key": str(uuid.uuid4())}
        try:
            made = await self._service.ask("POST", path, content=avatars, headers=headers)
        except ProblemError as problem:
            if problem.code != "already_exists":
                raise
        else:
            return "unchanged" if made.replayed else "created"
        if not replace:
            return "exists"
        change = {name: value for name, value in avatars.items() if name != "id"}
        one = f"{path}/{quote(avatars['id'], safe='')}"
        await self._service.ask("PATCH", one, content=change, headers={"If-Match": "*"})
        return "replaced"

    async def import_bundle(self, path: Path, *, existing: Existing, publish: bool) -> Document:
        """Bring a zip in, item by item."""
        query = {"existing": existing, "publish": "true" if publish else "false"}
        address = f"{_PREFIX}/bundle-imports"
        return _document(
            await self._service.send("POST", address, path, media_type="application/zip", query=query)
        )

    async def save_story(self, key: str, to: IO[bytes], form: str) -> int:
        """Write a story's file."""
        path = f"{_PREFIX}/scenarios/{quote(key, safe='')}/file"
        return await self._service.save(path, to, query={"form": form})

    async def save_bundle(self, key: str, to: IO[bytes]) -> int:
        """Write a bundle's zip."""
        return await self._service.save(f"{_PREFIX}/bundles/{quote(key, safe='')}/file", to)

    async def save_definitions(self, sort: str, to: IO[bytes], form: str) -> int:
        """Write a list of definitions."""
        path = f"{_PREFIX}/definition-lists/{quote(sort, safe='')}"
        return await self._service.save(path, to, query={"form": form})

    async def save_badges(self, age_group: str, to: IO[bytes], form: str) -> int:
        """Write a badge set."""
        path = f"{_PREFIX}/badge-sets/{quote(age_group, safe='')}/file"
        return await self._service.save(path, to, query={"form": form})

    async def has_badges(self, age_group: str) -> bool:
        """Whether an age group has a badge set."""
        try:
            await self._service.ask("GET", f"{_PREFIX}/badge-sets/{quote(age_group, safe='')}")
        except ProblemError as problem:
            if problem.code != "not_found":
                raise
            return False
        return True

    async def _all(self, path: str) -> list[Document]:
        items: list[Document] = []
        query: dict[str, str] = {"limit": "100"}
        while True:
            page = (await self._service.ask("GET", path, query=query)).body
            items += page["items"]
            if page["continuation"] is None:
                return items
            query["continuation"] = page["continuation"]


def type_of(name: str) -> str:
    """The media type of a file, by its name."""
    return _TYPES.get(Path(name).suffix.lower(), _BYTES)


def _document(answer: Answer) -> Document:
    return answer.body if isinstance(answer.body, dict) else {}
