"""Stories as players' apps see them: what each is about and who is in it, never what comes of a choice."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from manystore.clock import Clock
from manystore.repository import Repository
from manystore.specifications import Predicate, Specification, field
from mystira.domain.accounts.use_cases import Accounts
from mystira.domain.bundles.access import Access, story_access
from mystira.domain.bundles.shelf import Shelf
from mystira.domain.errors import NotFoundError
from mystira.domain.forms import AgeGroupSpan
from mystira.domain.records import Entity, order_by
from mystira.domain.scenarios.model import Character, Difficulty, Scenario, SessionLength
from mystira.domain.sessions.stories import Stories, Story
from mystira.http.callers import SIGNED_IN
from mystira.http.etags import etag
from mystira.http.operations import Answer, Call, Operation, show, show_unchanged, show_version
from mystira.http.queries import Nothing
from mystira.services.app_api.answers import Page
from mystira.services.app_api.bundles import subscription_of


class ScenarioSummary(Entity, frozen=True, kw_only=True, rename="camel"):
    """A story for a list: as much of it as that takes, so that a list reads no scenes."""

    title: str
    description: str = ""
    tags: list[str] = msgspec.field(default_factory=list)
    difficulty: Difficulty = "Medium"
    session_length: SessionLength = "Medium"
    archetypes: list[str] = msgspec.field(default_factory=list)
    age_group: str = "6-9"
    minimum_age: int = 6
    core_axes: list[str] = msgspec.field(default_factory=list)
    is_featured: bool = False
    image: str | None = None


class ScenarioItem(ScenarioSummary, frozen=True, kw_only=True, rename="camel"):
    """A story as it is listed; `access` is why the caller's account may play it, or that it may not."""

    etag: str
    access: Access


class ScenarioView(ScenarioSummary, frozen=True, kw_only=True, rename="camel"):
    """A story with its characters, whom players may be, and the number of its scenes."""

    etag: str
    characters: list[Character]
    scene_count: int


ScenarioOrder = Literal["title", "-title", "createdAt", "-createdAt"]


class ScenarioSearch(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which stories to list: published ones that satisfy all that is given.

    `age` is that of the youngest player, in years: stories whose minimum age is not above it.
    """

    age_group: AgeGroupSpan | None = None
    age: Annotated[int, Meta(ge=0, le=150)] | None = None
    is_featured: bool | None = None
    order: ScenarioOrder = "title"
    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    continuation: Annotated[str, Meta(max_length=4096)] | None = None


class ScenarioRoutes:
    """What each operation on stories does."""

    def __init__(
        self,
        summaries: Repository[ScenarioSummary],
        stories: Stories,
        shelf: Shelf,
        accounts: Accounts,
        clock: Clock,
    ) -> None:
        self._summaries, self._stories, self._shelf = summaries, stories, shelf
        self._accounts, self._clock = accounts, clock

    async def search(self, call: Call[ScenarioSearch]) -> Answer:
        """A page of stories, with what the caller has access to."""
        found = await self._summaries.find(_specification(call.sent))
        subscription, bundles = (
            await subscription_of(self._accounts, call.caller),
            await self._shelf.bundles(),
        )
        items = [
            ScenarioItem(
                **msgspec.structs.asdict(stored.value),
                etag=etag(stored.version),
                access=story_access(subscription, stored.key, bundles, self._clock.now()),
            )
            for stored in found.items
        ]
        return show(Page(items=items, continuation=found.continuation))

    async def read(self, call: Call[Nothing]) -> Answer:
        """One story."""
        story = await self._stories.story(call.path["scenarioId"])
        if not story.scenario.is_active:
            raise NotFoundError(kind="scenarios", key=story.id)
        if call.knows(story.version):
            return show_unchanged(story.version)
        return show_version(_view(story), story.version)


def scenario_operations(
    summaries: Repository[ScenarioSummary], stories: Stories, shelf: Shelf, accounts: Accounts, clock: Clock
) -> tuple[Operation[Any], ...]:
    """What can be asked about stories."""
    routes = ScenarioRoutes(summaries, stories, shelf, accounts, clock)
    return (
        Operation(
            method="GET",
            path="/scenarios",
            tag="stories",
            name="listScenarios",
            summary="List the stories that are published",
            description=(
                "All conditions given must hold. A minus before the order means largest first. What the "
                "caller's account has no access to is listed as well, and says so."
            ),
            takes=ScenarioSearch,
            handle=routes.search,
            answers={200: Page[ScenarioItem]},
            refuses=("invalid_continuation",),
            allows=SIGNED_IN,
        ),
        Operation(
            method="GET",
            path="/scenarios/{scenarioId}",
            tag="stories",
            name="getScenario",
            summary="Read what a story is about, and who is in it",
            takes=Nothing,
            handle=routes.read,
            answers={200: ScenarioView},
            refuses=("not_found",),
            allows=SIGNED_IN,
            revalidates=True,
            versioned=True,
        ),
    )


def _specification(search: ScenarioSearch) -> Specification:
    where: Predicate = field("isActive") == True  # noqa: E712 - a predicate, not a comparison
    if search.age_group is not None:
        where &= field("ageGroup") == search.age_group
    if search.age is not None:
        where &= field("minimumAge") <= search.age
    if search.is_featured is not None:
        where &= field("isFeatured") == search.is_featured
    return Specification(
        where=where,
        order=(order_by(search.order),),
        limit=search.limit,
        continuation=search.continuation,
    )


def _view(story: Story) -> ScenarioView:
    scenario: Scenario = story.scenario
    shown = {name: getattr(scenario, name) for name in ScenarioSummary.__struct_fields__}
    return ScenarioView(
        **shown,
        etag=etag(story.version),
        characters=scenario.characters,
        scene_count=len(scenario.scenes),
    )
