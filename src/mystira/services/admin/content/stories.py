"""Stories as staff work on them: checked, brought in, changed, published, drawn, given out."""

import asyncio
import functools
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from manystore.repository import Stored
from mystira.domain.bundles.importing import is_same_story, review_with_media
from mystira.domain.files.findings import Finding
from mystira.domain.files.nodes import MOST_BYTES
from mystira.domain.forms import ContentId
from mystira.domain.records import Entity
from mystira.domain.scenarios import use_cases
from mystira.domain.scenarios.model import Difficulty, Scenario, SessionLength
from mystira.domain.scenarios.picture import draw_story
from mystira.domain.scenarios.reading import Review, review_file, review_scenario
from mystira.domain.scenarios.use_cases import StoryChange, StorySearch
from mystira.domain.scenarios.writing import write_story
from mystira.http.etags import etag, expected_version
from mystira.http.idempotency import Creation, create_once
from mystira.http.operations import Answer, Call, show, show_nothing
from mystira.http.queries import Nothing
from mystira.http.transfers import Upload, send_file
from mystira.http.views import Page, show_record, show_unless_known
from mystira.services.admin.content.publishing import publish_story
from mystira.services.admin.content.shelves import Shelves, body_of, language_of

PREFIX: Final = "/admin/api"

STORY_FILE: Final = Upload(
    media_types=("application/yaml", "application/json", "text/yaml", "application/octet-stream"),
    most_bytes=MOST_BYTES,
    meaning="A story's file, in YAML or JSON",
)


class StorySummary(Entity, frozen=True, kw_only=True, rename="camel"):
    """A story for a list, without its scenes; `etag` goes into If-Match as it stands."""

    title: str
    description: str
    tags: list[str]
    difficulty: Difficulty
    session_length: SessionLength
    age_group: str
    minimum_age: int
    core_axes: list[str]
    is_active: bool
    is_featured: bool
    scene_count: int
    etag: str


class StoryView(Scenario, frozen=True, kw_only=True, rename="camel"):
    """A story, whole; `etag` goes into If-Match as it stands."""

    etag: str


class Judgement(Struct, frozen=True, kw_only=True, rename="camel"):
    """What came of checking a story: it can be taken where it `is_sound`, whatever its warnings."""

    is_sound: bool
    id: str | None
    title: str | None
    scene_count: int
    findings: tuple[Finding, ...]


class StoryBrought(Struct, frozen=True, kw_only=True):
    """A story that was brought in, and what is unusual in its file."""

    story: StorySummary
    findings: tuple[Finding, ...]


class StoryPlace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Under which `id` to keep a story (else its own), and whether to `publish` it at once."""

    id: ContentId | None = None
    publish: bool = False


class FileName(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file is called: a name that ends in .yaml or .json says how to read it."""

    name: Annotated[str, Meta(max_length=255)] = ""


class FileForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In which language to write."""

    form: Literal["yaml", "json"] = "yaml"


class StoryRoutes:
    """What each operation on stories does."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves, self._scenarios, self._clock = shelves, shelves.scenarios, shelves.clock

    async def _review(self, call: Call[Any], name: str = "") -> Review:
        reading = functools.partial(review_file, language=None if name else language_of(call))
        return await review_with_media(
            self._shelves.media,
            await body_of(call).whole(),
            name=name,
            vocabulary=await self._shelves.vocabulary(),
            review=reading,
        )

    async def _read(self, call: Call[Any]) -> Stored[Scenario]:
        return await use_cases.read_story(self._scenarios, call.path["scenarioId"])

    async def validate(self, call: Call[FileName]) -> Answer:
        """What is found in a file; nothing is kept."""
        return show(_judgement(await self._review(call, call.sent.name)))

    async def create(self, call: Call[StoryPlace]) -> Answer:
        """Keep a new story."""
        review, place = await self._review(call), call.sent

        async def make(_: str | None) -> Stored[Scenario]:
            # A story's id says what it is: an idempotency key only guards it, and never names it.
            return await use_cases.create_story(
                self._scenarios, review, clock=self._clock, story_id=place.id, publish=place.publish
            )

        async def recognise() -> Stored[Scenario] | None:
            story = review.story
            found = None if story is None else await self._scenarios.get(place.id or story.id)
            return found if found and story and is_same_story(found.value, story) else None

        creation = Creation(
            name="importScenario",
            make=make,
            read=functools.partial(use_cases.read_story, self._scenarios),
            headers=lambda stored: {
                "Location": f"{PREFIX}/scenarios/{stored.key}",
                "ETag": etag(stored.version),
            },
            view=lambda stored: StoryBrought(story=summary(stored), findings=review.findings),
            recognise=recognise,
        )
        return await create_once(self._shelves.keys, call, creation)

    async def replace(self, call: Call[Nothing]) -> Answer:
        """Put another text in the place of a story's."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        review = await self._review(call)
        stored = await use_cases.replace_story(
            self._scenarios, call.path["scenarioId"], review, clock=self._clock, expected=expected
        )
        brought = StoryBrought(story=summary(stored), findings=review.findings)
        return show(brought, headers={"ETag": etag(stored.version)})

    async def search(self, call: Call[StorySearch]) -> Answer:
        """A page of stories."""
        found = await use_cases.list_stories(self._scenarios, call.sent)
        return show(Page(items=[summary(each) for each in found.items], continuation=found.continuation))

    async def read(self, call: Call[Nothing]) -> Answer:
        """One story, whole."""
        return await show_unless_known(StoryView, call, lambda: self._read(call))

    async def review(self, call: Call[Nothing]) -> Answer:
        """What is found in a story as it is kept."""
        story = (await self._read(call)).value
        return show(_judgement(review_scenario(story, vocabulary=await self._shelves.vocabulary())))

    async def change(self, call: Call[StoryChange]) -> Answer:
        """Change what can be changed without a file."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        stored = await use_cases.change_story(
            self._scenarios, call.path["scenarioId"], call.sent, clock=self._clock, expected=expected
        )
        return show_record(StoryView, stored)

    async def publish(self, call: Call[Nothing]) -> Answer:
        """Let families play it."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        await publish_story(self._shelves.app, lambda: self._read(call), expected=expected)
        stored = await self._read(call)
        return show(summary(stored), headers={"ETag": etag(stored.version)})

    async def withdraw(self, call: Call[Nothing]) -> Answer:
        """Let nobody begin it any more."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        stored = await use_cases.withdraw_story(
            self._scenarios, call.path["scenarioId"], clock=self._clock, expected=expected
        )
        return show(summary(stored), headers={"ETag": etag(stored.version)})

    async def delete(self, call: Call[Nothing]) -> Answer:
        """Take it away."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        await use_cases.delete_story(self._scenarios, call.path["scenarioId"], expected=expected)
        return show_nothing()

    async def export(self, call: Call[FileForm]) -> Answer:
        """Its file."""
        stored, form = await self._read(call), call.sent.form
        data = await asyncio.to_thread(write_story, stored.value, form)
        return send_file(data, media_type=f"application/{form}", name=f"{stored.key}.{form}")

    async def draw(self, call: Call[Nothing]) -> Answer:
        """Its map."""
        story = (await self._read(call)).value
        picture = await asyncio.to_thread(draw_story, story)
        return send_file(picture.encode(), media_type="image/svg+xml", cache="private, no-cache")


def summary(stored: Stored[Scenario]) -> StorySummary:
    """A story as it stands in lists."""
    story = stored.value
    names = StorySummary.__struct_fields__
    given = {name: getattr(story, name) for name in names if name not in ("scene_count", "etag")}
    return StorySummary(scene_count=len(story.scenes), etag=etag(stored.version), **given)


def _judgement(review: Review) -> Judgement:
    draft = review.draft
    return Judgement(
        is_sound=review.is_sound,
        id=None if draft is None else draft.id,
        title=None if draft is None else draft.title,
        scene_count=0 if draft is None else len(draft.scenes),
        findings=review.findings,
    )
