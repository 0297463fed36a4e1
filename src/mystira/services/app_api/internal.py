"""What other services of the platform ask of the App API: to let families play a story."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from manystore.repository import Stored
from mystira.domain.errors import VersionMismatchError
from mystira.domain.forms import ContentId
from mystira.domain.scenarios.kind import SCENARIOS
from mystira.domain.scenarios.model import Scenario
from mystira.domain.scenarios.use_cases import publish_story, read_story
from mystira.http.callers import by_service
from mystira.http.operations import Answer, Call, Operation, show_version
from mystira.http.service import Service
from mystira.platform import Platform

PREFIX: Final = "/internal/scenarios"


class Publication(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which story to publish, and at which version it was found fit to be."""

    scenario_id: ContentId
    version: Annotated[int, Meta(ge=1, le=2**53)]


class Published(Struct, frozen=True, kw_only=True, rename="camel"):
    """The story is published; `was_published` where it had been before."""

    scenario_id: str
    version: int
    was_published: bool


def app_internal(platform: Platform) -> Service:
    """The service over a platform."""
    scenarios, clock = platform.repository(Scenario, SCENARIOS), platform.clock

    async def publish(call: Call[Publication]) -> Answer:
        key, version = call.sent.scenario_id, call.sent.version
        stored = await read_story(scenarios, key)
        if stored.value.is_active:
            return _shown(stored, was_published=True)
        try:
            done = await publish_story(scenarios, key, clock=clock, expected=version)
        except VersionMismatchError:
            stored = await read_story(scenarios, key)
            if not stored.value.is_active:
                raise
            # Another call published it in between, which is all that was asked for.
            return _shown(stored, was_published=True)
        return _shown(done, was_published=False)

    return Service(
        name="appInternal",
        prefix=PREFIX,
        title="Mystira App API, for other services",
        description="For programs of the platform alone, each by a token that it signs for itself.",
        operations=(_operation(publish),),
        tags={"stories": "What can be played."},
    )


def _operation(publish: Any) -> Operation[Any]:
    return Operation(
        method="POST",
        path="/publish",
        tag="stories",
        name="publishForFamilies",
        summary="Let families play a story",
        description=(
            "At the version that was judged: one that was changed since is refused. Of a story that is "
            "published already nothing changes, so it may be asked for again."
        ),
        takes=Publication,
        handle=publish,
        answers={200: Published},
        refuses=("not_found", "version_mismatch", "contended", "invalid_content"),
        allows=by_service("adminApi"),
        versioned=True,
        example={"scenarioId": "the-lost-lantern", "version": 1},
    )


def _shown(stored: Stored[Scenario], *, was_published: bool) -> Answer:
    shown = Published(scenario_id=stored.key, version=stored.version, was_published=was_published)
    return show_version(msgspec.to_builtins(shown), stored.version)
