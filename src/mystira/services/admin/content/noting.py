"""Steps with content that are written down: before they are taken, and again with what became of them."""

from typing import Any, Final

import structlog
from msgspec import structs

from manystore.clock import Clock
from manystore.errors import ManystoreError
from manystore.repository import Stored
from mystira.domain.content_steps.kind import CONTENT_STEPS
from mystira.domain.content_steps.model import ContentStep, Outcome, StepSearch
from mystira.domain.content_steps.use_cases import ContentSteps, begin_step, end_step, list_steps
from mystira.http.callers import SUPER_STAFF
from mystira.http.operations import Answer, Call, Operation
from mystira.http.refusals import refusal
from mystira.http.views import Page, show_page
from mystira.platform import Platform
from mystira.services.admin.people import actor_of, reason_of

NOTED: Final = frozenset(
    {
        "importScenario",
        "replaceScenario",
        "publishScenario",
        "withdrawScenario",
        "deleteScenario",
        "importBundle",
        "deleteBundle",
        "importDefinitions",
        "deleteDefinition",
        "restoreDefinition",
        "importBadgeSet",
        "addMedia",
        "replaceMedia",
        "deleteMedia",
    }
)
"""The operations by which content comes, goes, or is let loose."""
_PREFIX: Final = "/admin/api/"

log = structlog.get_logger(__name__)


class StepView(ContentStep, frozen=True, kw_only=True, rename="camel"):
    """A step as it is shown."""

    etag: str


class Notary:
    """Writes steps down."""

    def __init__(self, platform: Platform) -> None:
        self._steps: ContentSteps = platform.repository(ContentStep, CONTENT_STEPS)
        self._clock: Clock = platform.clock

    def noted(self, operation: Operation[Any]) -> Operation[Any]:
        """The operation, written down if it is one of NOTED."""
        if operation.name not in NOTED:
            return operation

        async def handle(call: Call[Any]) -> Answer:
            step = await begin_step(
                self._steps,
                actor=actor_of(call),
                action=operation.name,
                subject=_subject(operation, call),
                reason=reason_of(call),
                clock=self._clock,
            )
            try:
                answer = await operation.handle(call)
            except Exception as error:
                await self._end(step, Outcome.REFUSED, code=refusal(error).code.code)
                raise
            await self._end(step, Outcome.DONE, subject=_made(answer))
            return answer

        return structs.replace(operation, handle=handle, names_actor=True, gives_reason=True)

    async def _end(self, step: Stored[ContentStep], outcome: Outcome, **facts: str | None) -> None:
        try:
            await end_step(self._steps, step, outcome, clock=self._clock, **facts)
        except ManystoreError as error:
            # It is done, or refused, whatever is written of it: that it was asked for stands already.
            log.warning("content_step.not_ended", step=step.key, error=type(error).__name__)

    async def search(self, call: Call[StepSearch]) -> Answer:
        """A page of steps."""
        return show_page(StepView, await list_steps(self._steps, call.sent))


def _subject(operation: Operation[Any], call: Call[Any]) -> str:
    """The path that names what it is about, as far as one does."""
    path = operation.path.removeprefix("/")
    for name, value in call.path.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def _made(answer: Answer) -> str | None:
    """Where the answer says that what was made is."""
    location = answer.headers.get("location")
    return None if location is None else location.removeprefix(_PREFIX)


def step_operations(notary: Notary) -> tuple[Operation[Any], ...]:
    """What can be asked about steps."""
    return (
        Operation(
            method="GET",
            path="/content-steps",
            tag="content steps",
            name="listContentSteps",
            summary="Who did what with content, when and why",
            description="Imports, publications, withdrawals and deletions, newest first.",
            takes=StepSearch,
            handle=notary.search,
            answers={200: Page[StepView]},
            refuses=("invalid_continuation",),
            allows=SUPER_STAFF,
        ),
    )
