"""What staff do with stories: bring them in, change, publish and withdraw them, take them away."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from manystore.clock import Clock
from manystore.repository import Found, Repository, Stored
from manystore.specifications import EVERYTHING, Predicate, Specification, field
from mystira.domain.errors import DomainError
from mystira.domain.files.errors import InvalidContentError
from mystira.domain.forms import AgeGroupSpan, FilledLine
from mystira.domain.records import (
    change_record,
    create_record,
    delete_record,
    merge_patch,
    order_by,
    read_record,
)
from mystira.domain.scenarios.model import Scenario
from mystira.domain.scenarios.reading import Review, review_scenario
from mystira.domain.scenarios.vocabulary import UNKNOWN, Vocabulary

Scenarios = Repository[Scenario]

Order = Literal["title", "-title", "createdAt", "-createdAt", "updatedAt", "-updatedAt"]

_OUTLIVING: Final = ("id", "created_at", "is_active", "is_featured", "ip_asset")
"""What the platform knows of a story, and no file does: it outlives every new version of the text."""


class StillPublishedError(DomainError):
    """Story {key} is published; withdraw it before it is deleted."""

    code = "still_published"

    def __init__(self, *, key: str) -> None:
        self.key = key
        super().__init__(key=key)


class StorySearch(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which stories to list, in which order."""

    age_group: AgeGroupSpan | None = None
    is_active: bool | None = None
    order: Order = "title"
    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    continuation: Annotated[str, Meta(max_length=4000)] | None = None


class StoryChange(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What can be changed of a story without its file."""

    title: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    description: Annotated[str, Meta(min_length=1, max_length=1000)] | UnsetType = UNSET
    tags: Annotated[list[FilledLine], Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    image: Annotated[str, Meta(min_length=1, max_length=500)] | UnsetType | None = UNSET
    is_featured: bool | UnsetType = UNSET


async def create_story(
    scenarios: Scenarios,
    review: Review,
    *,
    clock: Clock,
    story_id: str | None = None,
    publish: bool = False,
) -> Stored[Scenario]:
    """Keep a story under the id given, else its own. Raises InvalidContentError and AlreadyExistsError."""
    story, now = _sound(review), clock.now()
    made = msgspec.structs.replace(
        story, id=story_id or story.id, created_at=now, updated_at=now, is_active=publish
    )
    return await create_record(scenarios, made)


async def replace_story(
    scenarios: Scenarios,
    story_id: str,
    review: Review,
    *,
    clock: Clock,
    expected: int | None,
) -> Stored[Scenario]:
    """Put another text in the place of a story's, whatever id it names, at the `expected` version.

    Whether it is published or featured stays as it is. Where the text is the same nothing is written.
    Raises InvalidContentError, NotFoundError, VersionMismatchError, ContendedError.
    """
    story = _sound(review)

    def alter(former: Scenario) -> Scenario:
        kept = {name: getattr(former, name) for name in (*_OUTLIVING, "updated_at")}
        return msgspec.structs.replace(story, **kept)

    return await change_record(scenarios, story_id, alter, now=clock.now(), expected=expected)


async def read_story(scenarios: Scenarios, story_id: str) -> Stored[Scenario]:
    """The story. Raises NotFoundError."""
    return await read_record(scenarios, story_id)


async def list_stories(scenarios: Scenarios, search: StorySearch) -> Found[Scenario]:
    """One page of the stories that satisfy the search.

    Raises InvalidSpecificationError (manystore.errors) for a continuation of another search.
    """
    where: Predicate = EVERYTHING
    if search.age_group is not None:
        where &= field("ageGroup") == search.age_group
    if search.is_active is not None:
        where &= field("isActive") == search.is_active
    return await scenarios.find(
        Specification(
            where=where,
            order=(order_by(search.order),),
            limit=search.limit,
            continuation=search.continuation,
        )
    )


async def change_story(
    scenarios: Scenarios, story_id: str, change: StoryChange, *, clock: Clock, expected: int | None
) -> Stored[Scenario]:
    """Change what can be changed without a file, at the `expected` version.

    Raises NotFoundError, VersionMismatchError, ContendedError.
    """

    def alter(story: Scenario) -> Scenario:
        return merge_patch(story, change)

    return await change_record(scenarios, story_id, alter, now=clock.now(), expected=expected)


def require_sound(story: Scenario, *, vocabulary: Vocabulary = UNKNOWN) -> None:
    """Judge a story as it is kept. Raises InvalidContentError."""
    _sound(review_scenario(story, vocabulary=vocabulary), name=f"Story {story.id}")


async def publish_story(
    scenarios: Scenarios,
    story_id: str,
    *,
    clock: Clock,
    expected: int | None,
    vocabulary: Vocabulary = UNKNOWN,
) -> Stored[Scenario]:
    """Let families play a story, which is judged once more before: an older rule may have let it in.

    Raises InvalidContentError, NotFoundError, VersionMismatchError, ContendedError.
    """

    def alter(story: Scenario) -> Scenario:
        require_sound(story, vocabulary=vocabulary)
        return msgspec.structs.replace(story, is_active=True)

    return await change_record(scenarios, story_id, alter, now=clock.now(), expected=expected)


async def withdraw_story(
    scenarios: Scenarios, story_id: str, *, clock: Clock, expected: int | None
) -> Stored[Scenario]:
    """Let nobody begin a story any more; plays under way go on.

    Raises NotFoundError, VersionMismatchError, ContendedError.
    """

    def alter(story: Scenario) -> Scenario:
        return msgspec.structs.replace(story, is_active=False)

    return await change_record(scenarios, story_id, alter, now=clock.now(), expected=expected)


async def delete_story(scenarios: Scenarios, story_id: str, *, expected: int | None) -> None:
    """Take a story away that is not published.

    Raises StillPublishedError, NotFoundError, VersionMismatchError.
    """
    stored = await read_record(scenarios, story_id)
    if stored.value.is_active:
        raise StillPublishedError(key=story_id)
    # At the version that was looked at: published in between, it stays.
    version = stored.version if expected is None else expected
    await delete_record(scenarios, story_id, expected=version)


def _sound(review: Review, name: str = "The story") -> Scenario:
    if review.story is None:
        raise InvalidContentError(name=name, findings=review.findings)
    return review.story
