"""Stories as staff keep them: in, changed, published, withdrawn, gone."""

from typing import Any

import pytest

from manystore.repository import Stored
from mystira.domain.errors import AlreadyExistsError, NotFoundError, VersionMismatchError
from mystira.domain.files.errors import InvalidContentError
from mystira.domain.scenarios.model import Scenario
from mystira.domain.scenarios.reading import Review, review_document
from mystira.domain.scenarios.use_cases import (
    StillPublishedError,
    StoryChange,
    StorySearch,
    change_story,
    create_story,
    delete_story,
    list_stories,
    publish_story,
    read_story,
    replace_story,
    withdraw_story,
)
from tests.unit.content.shelves import Shelves, open_shelves
from tests.unit.content.stories import story


def _review(**changes: Any) -> Review:
    return review_document(story(**changes))


async def _create(shelves: Shelves, **changes: Any) -> Stored[Scenario]:
    return await create_story(shelves.scenarios, _review(**changes), clock=shelves.clock)


async def test_a_story_is_kept_under_its_slug_and_unpublished() -> None:
    """Or under the id that it names, or that whoever brings it wants."""
    shelves = await open_shelves()
    made = await _create(shelves)
    assert (made.key, made.value.is_active) == ("the-lantern-on-the-hill", False)
    assert made.value.created_at == made.value.updated_at == shelves.clock.now()
    assert (await _create(shelves, id="own")).key == "own"
    wanted = await create_story(
        shelves.scenarios, _review(), clock=shelves.clock, story_id="wanted", publish=True
    )
    assert (wanted.key, wanted.value.is_active) == ("wanted", True)
    with pytest.raises(AlreadyExistsError):
        await _create(shelves, id="own")


async def test_a_broken_story_is_not_kept() -> None:
    """The refusal carries everything that was found."""
    shelves = await open_shelves()
    with pytest.raises(InvalidContentError) as refused:
        await _create(shelves, title="", tags=[])
    assert {each.path for each in refused.value.findings} == {"title", "tags"}
    assert (await list_stories(shelves.scenarios, StorySearch())).items == ()


async def test_a_story_is_replaced_at_the_version_expected() -> None:
    """Its text changes; that it is published, featured and registered does not, nor when it was made."""
    shelves = await open_shelves()
    first = await _create(shelves)
    key, asset = first.key, {"id": "ip-1"}
    await change_story(
        shelves.scenarios, key, StoryChange(is_featured=True), clock=shelves.clock, expected=first.version
    )
    published = await publish_story(shelves.scenarios, key, clock=shelves.clock, expected=None)
    shelves.clock.advance(60)
    with pytest.raises(VersionMismatchError):
        await replace_story(shelves.scenarios, key, _review(), clock=shelves.clock, expected=first.version)
    other = _review(id="another-id", title="Another title")
    second = await replace_story(
        shelves.scenarios, key, other, clock=shelves.clock, expected=published.version
    )
    assert (second.key, second.value.title) == (key, "Another title")
    assert (second.value.is_active, second.value.is_featured) == (True, True)
    assert second.value.created_at == first.value.created_at
    assert second.value.updated_at == shelves.clock.now()
    assert asset  # the registration is the publisher's to write
    again = await replace_story(shelves.scenarios, key, other, clock=shelves.clock, expected=second.version)
    assert again.version == second.version


async def test_only_a_sound_story_is_published() -> None:
    """One that an older rule let in is judged anew, and says what is wrong."""
    shelves = await open_shelves()
    made = await _create(shelves)
    document = await shelves.store.get(shelves.scenarios.kind, made.key)
    assert document is not None
    assert document.content is not None
    content = document.content | {
        "scenes": [each | {"nextScene": "x"} for each in document.content["scenes"][:1]]
    }
    await shelves.write(shelves.scenarios.kind, 2, content)
    with pytest.raises(InvalidContentError) as refused:
        await publish_story(shelves.scenarios, made.key, clock=shelves.clock, expected=None)
    assert "unknown_scene" in {each.code for each in refused.value.findings}


async def test_a_published_story_is_withdrawn_before_it_goes() -> None:
    """Deleted by mistake, a story that families play would be missed."""
    shelves = await open_shelves()
    key = (await _create(shelves)).key
    await publish_story(shelves.scenarios, key, clock=shelves.clock, expected=None)
    with pytest.raises(StillPublishedError):
        await delete_story(shelves.scenarios, key, expected=None)
    withdrawn = await withdraw_story(shelves.scenarios, key, clock=shelves.clock, expected=None)
    assert not withdrawn.value.is_active
    with pytest.raises(VersionMismatchError):
        await delete_story(shelves.scenarios, key, expected=1)
    await delete_story(shelves.scenarios, key, expected=withdrawn.version)
    with pytest.raises(NotFoundError):
        await read_story(shelves.scenarios, key)


async def test_stories_are_listed_by_what_they_are() -> None:
    """By age group, by whether they are published, in an order, in pages."""
    shelves = await open_shelves()
    for key, ages in (("a", "6-9"), ("b", "10-12"), ("c", "6-9")):
        await _create(shelves, id=key, title=f"Story {key}", age_group=ages)
    await publish_story(shelves.scenarios, "c", clock=shelves.clock, expected=None)

    async def listed(**search: Any) -> list[str]:
        found = await list_stories(shelves.scenarios, StorySearch(**search))
        return [each.key for each in found.items]

    assert await listed() == ["a", "b", "c"]
    assert await listed(age_group="6-9", order="-title") == ["c", "a"]
    assert await listed(is_active=True) == ["c"]
    first = await list_stories(shelves.scenarios, StorySearch(limit=2))
    rest = await list_stories(shelves.scenarios, StorySearch(limit=2, continuation=first.continuation))
    assert [each.key for each in (*first.items, *rest.items)] == ["a", "b", "c"]
