"""What staff can ask about stories, declared."""

import functools
from typing import Any

from mystira.domain.scenarios.use_cases import StoryChange, StorySearch
from mystira.http.callers import STAFF
from mystira.http.operations import Operation
from mystira.http.queries import Nothing
from mystira.http.transfers import Download
from mystira.http.views import Page
from mystira.services.admin.content.shelves import Shelves
from mystira.services.admin.content.stories import (
    STORY_FILE,
    FileForm,
    FileName,
    Judgement,
    StoryBrought,
    StoryPlace,
    StoryRoutes,
    StorySummary,
    StoryView,
)


def story_operations(shelves: Shelves) -> tuple[Operation[Any], ...]:
    """What can be asked about stories."""
    routes = StoryRoutes(shelves)
    return (*_files(routes), *_many(routes), *_one(routes), *_changes(routes), *_steps(routes))


def _files(routes: StoryRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="stories", allows=STAFF)
    return (
        operation(
            method="POST",
            path="/scenario-checks",
            name="validateScenario",
            summary="Check a story's file, and keep nothing",
            description="All that is broken or unusual, with line and path, whatever the bytes are.",
            takes=FileName,
            handle=routes.validate,
            answers={200: Judgement},
            uploads=STORY_FILE,
        ),
        operation(
            method="GET",
            path="/scenarios/{scenarioId}/file",
            name="exportScenario",
            summary="A story's file",
            description="Brought in again, it is the same story.",
            takes=FileForm,
            handle=routes.export,
            answers={200: Download(media_types=("application/yaml", "application/json"))},
            refuses=("not_found",),
        ),
        operation(
            method="GET",
            path="/scenarios/{scenarioId}/map",
            name="drawScenario",
            summary="A story as a picture",
            description="SVG: scenes as boxes, choices as lines between them.",
            takes=Nothing,
            handle=routes.draw,
            answers={200: Download(media_types=("image/svg+xml",))},
            refuses=("not_found",),
        ),
        operation(
            method="GET",
            path="/scenarios/{scenarioId}/review",
            name="reviewScenario",
            summary="What is broken or unusual in a story as it is kept",
            takes=Nothing,
            handle=routes.review,
            answers={200: Judgement},
            refuses=("not_found",),
        ),
    )


def _many(routes: StoryRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="stories", allows=STAFF, path="/scenarios")
    return (
        operation(
            method="GET",
            name="searchScenarios",
            summary="List stories, published or not",
            takes=StorySearch,
            handle=routes.search,
            answers={200: Page[StorySummary]},
            refuses=("invalid_continuation",),
        ),
        operation(
            method="POST",
            name="importScenario",
            summary="Bring a new story in",
            description="The whole story or nothing. Its id is the file's, else a slug of its title.",
            takes=StoryPlace,
            handle=routes.create,
            answers={201: StoryBrought},
            refuses=("invalid_content", "already_exists", "not_representable", "invalid_value"),
            keyed=True,
            versioned=True,
            uploads=STORY_FILE,
        ),
    )


def _one(routes: StoryRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="stories", allows=STAFF, path="/scenarios/{scenarioId}")
    return (
        operation(
            method="GET",
            name="readScenario",
            summary="Read a story, whole",
            takes=Nothing,
            handle=routes.read,
            answers={200: StoryView},
            refuses=("not_found",),
            revalidates=True,
            versioned=True,
        ),
        operation(
            method="PUT",
            name="replaceScenario",
            summary="Replace a story's text by another file",
            description="Its id, and whether it is published or featured, stay as they are.",
            takes=Nothing,
            handle=routes.replace,
            answers={200: StoryBrought},
            refuses=("not_found", "invalid_content", "contended", "not_representable", "invalid_value"),
            guarded=True,
            versioned=True,
            uploads=STORY_FILE,
        ),
    )


def _changes(routes: StoryRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="stories", allows=STAFF, path="/scenarios/{scenarioId}")
    return (
        operation(
            method="PATCH",
            name="changeScenario",
            summary="Change a story without a file",
            description="A merge patch (RFC 7396): what is left out stays, null takes a value away.",
            takes=StoryChange,
            handle=routes.change,
            answers={200: StoryView},
            refuses=("not_found", "contended", "not_representable"),
            guarded=True,
            versioned=True,
            example={"isFeatured": True},
        ),
        operation(
            method="DELETE",
            name="deleteScenario",
            summary="Take a story away that is not published",
            takes=Nothing,
            handle=routes.delete,
            answers={204: None},
            refuses=("not_found", "contended", "still_published"),
            guarded=True,
        ),
    )


def _steps(routes: StoryRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(
        Operation,
        method="POST",
        tag="stories",
        allows=STAFF,
        takes=Nothing,
        answers={200: StorySummary},
        guarded=True,
        versioned=True,
    )
    return (
        operation(
            path="/scenarios/{scenarioId}/publish",
            name="publishScenario",
            summary="Let families play a story",
            description="It is checked once more: an older rule may have let it in.",
            handle=routes.publish,
            refuses=("not_found", "contended", "invalid_content"),
        ),
        operation(
            path="/scenarios/{scenarioId}/withdraw",
            name="withdrawScenario",
            summary="Let nobody begin a story any more",
            description="Plays under way go on.",
            handle=routes.withdraw,
            refuses=("not_found", "contended"),
        ),
    )
