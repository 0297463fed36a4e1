"""Brings one file after another to a platform, and tells alike what became of each."""

import asyncio
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from mystira.cli.content_files import ContentFile, media_id, read_bytes
from mystira.clients.content import ContentClient
from mystira.clients.errors import ProblemError
from mystira.domain.definitions.reading import Sort, sort_named
from mystira.domain.files.findings import Finding
from mystira.domain.scenarios.reading import review_file

Outcome = Literal["created", "replaced", "changed", "restored", "unchanged", "exists", "refused", "ignored"]

_EXISTS = "it is there already and differs: --replace puts this one in its place"


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file, or of a file in a zip: under which id, and what was found in it."""

    item: str
    what: str
    outcome: Outcome
    id: str | None = None
    note: str = ""
    findings: tuple[Finding, ...] = ()


class Importing:
    """Brings files to one platform."""

    def __init__(self, client: ContentClient, *, replace: bool, publish: bool, sort: Sort | None) -> None:
        self._client, self._replace, self._publish, self._sort = client, replace, publish, sort

    async def bring(self, file: ContentFile) -> list[Brought]:
        """Bring one in. Raises ProblemError and UnreachableError for what is not about the file itself."""
        ways = {
            "story": self._story,
            "definitions": self._definitions,
            "badge set": self._badges,
            "media": self._media,
            "bundle": self._bundle,
        }
        if file.what not in ways:
            note = "a manifest counts in a zip, beside its stories"
            return [_brought(file, "ignored", note=note)]
        try:
            return await ways[file.what](file)
        except ProblemError as problem:
            if problem.status not in (409, 413, 415, 422):
                raise
            return [self._refused(file, problem)]

    def _refused(self, file: ContentFile, problem: ProblemError) -> Brought:
        findings = tuple(msgspec.convert(each, Finding) for each in problem.findings)
        return _brought(file, "refused", note="" if findings else problem.detail, findings=findings)

    async def _story(self, file: ContentFile) -> list[Brought]:
        data, name = await asyncio.to_thread(read_bytes, file.path), file.path.name
        try:
            answer = await self._client.create_story(data, name, publish=self._publish)
        except ProblemError as problem:
            if problem.code != "already_exists":
                raise
        else:
            found = _findings(answer.body)
            outcome: Outcome = "unchanged" if answer.replayed else "created"
            return [_brought(file, outcome, answer.body["story"]["id"], findings=found)]
        story = review_file(data, name=name).story
        assert story is not None, "the platform found nothing broken in it"
        if not self._replace:
            return [_brought(file, "exists", story.id, note=_EXISTS)]
        is_changed = await self._client.replace_story(story.id, data, name)
        if self._publish:
            await self._client.step(story.id, "publish")
        return [_brought(file, "replaced" if is_changed else "unchanged", story.id)]

    async def _definitions(self, file: ContentFile) -> list[Brought]:
        data = await asyncio.to_thread(read_bytes, file.path)
        name = file.path.name
        sort = self._sort or sort_named(name)
        brought = await self._client.import_definitions(data, name, sort)
        items = brought["items"]
        changed = [each for each in items if each["outcome"] != "unchanged"]
        note = f"{len(items)} definitions, {len(changed)} new or changed"
        outcome: Outcome = "changed" if changed else "unchanged"
        return [_brought(file, outcome, note=note, findings=_findings(brought))]

    async def _badges(self, file: ContentFile) -> list[Brought]:
        data = await asyncio.to_thread(read_bytes, file.path)
        brought = await self._client.import_badges(data, file.path.name)
        done = brought["outcome"]
        counts = {name: done[name] for name in ("created", "changed", "removed") if done[name]}
        note = ", ".join(f"{count} {name}" for name, count in counts.items())
        return [
            _brought(
                file,
                "changed" if counts else "unchanged",
                done["ageGroup"],
                note=note,
                findings=_findings(brought),
            )
        ]

    async def _media(self, file: ContentFile) -> list[Brought]:
        key = media_id(file.path)
        try:
            answer = await self._client.add_media(key, file.path)
        except ProblemError as problem:
            if problem.code != "already_exists":
                raise
            if not self._replace:
                return [_brought(file, "exists", key, note=_EXISTS)]
            await self._client.replace_media(key, file.path)
            return [_brought(file, "replaced", key)]
        return [_brought(file, "unchanged" if answer.replayed else "created", key)]

    async def _bundle(self, file: ContentFile) -> list[Brought]:
        existing: Literal["keep", "replace"] = "replace" if self._replace else "keep"
        brought = await self._client.import_bundle(file.path, existing=existing, publish=self._publish)
        return list(_items(file, brought["items"]))


def _items(file: ContentFile, items: list[dict[str, Any]]) -> Iterator[Brought]:
    for each in items:
        note = _EXISTS if each["outcome"] == "exists" else ""
        yield Brought(
            item=f"{file.name}/{each['item']}",
            what=each["sort"],
            outcome=each["outcome"],
            id=each["id"],
            note=note,
            findings=_findings(each),
        )


def _brought(
    file: ContentFile,
    outcome: Outcome,
    key: str | None = None,
    *,
    note: str = "",
    findings: tuple[Finding, ...] = (),
) -> Brought:
    return Brought(
        item=file.name,
        what=file.what,
        outcome=outcome,
        id=key,
        note=note,
        findings=findings,
    )


def _findings(answer: dict[str, Any]) -> tuple[Finding, ...]:
    return tuple(msgspec.convert(each, Finding) for each in answer["findings"])
