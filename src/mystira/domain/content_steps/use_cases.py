"""Writing steps with content down, before they are taken and after, and looking them up."""

import msgspec

from manystore.clock import Clock
from manystore.repository import Found, Repository, Stored
from manystore.specifications import EVERYTHING, Descending, Predicate, Specification, field
from mystira.domain.content_steps.model import ContentStep, Outcome, StepSearch
from mystira.domain.ids import MakeId, make_id
from mystira.domain.records import create_record

ContentSteps = Repository[ContentStep]


async def begin_step(
    steps: ContentSteps,
    *,
    actor: str,
    action: str,
    subject: str,
    reason: str | None,
    clock: Clock,
    maker: MakeId = make_id,
) -> Stored[ContentStep]:
    """Write down what is about to be done. Where that cannot be written it must not be done."""
    now = clock.now()
    step = ContentStep(
        id=maker(), created_at=now, updated_at=now, actor=actor, action=action, subject=subject, reason=reason
    )
    return await create_record(steps, step)


async def end_step(
    steps: ContentSteps,
    step: Stored[ContentStep],
    outcome: Outcome,
    *,
    clock: Clock,
    subject: str | None = None,
    code: str | None = None,
) -> None:
    """Write down what became of it; `subject` is what was made, where that was not known before."""
    value = step.value
    ended = msgspec.structs.replace(
        value, updated_at=clock.now(), outcome=outcome, code=code, subject=subject or value.subject
    )
    await steps.change(step, ended)


async def list_steps(steps: ContentSteps, search: StepSearch) -> Found[ContentStep]:
    """One page of steps, newest first.

    Raises InvalidSpecificationError (manystore.errors) for a continuation of another search.
    """
    where: Predicate = EVERYTHING
    for name in ("actor", "action", "subject"):
        value = getattr(search, name)
        if value is not None:
            where &= field(name) == value
    return await steps.find(
        Specification(
            where=where,
            order=(Descending("createdAt"),),
            limit=search.limit,
            continuation=search.continuation,
        )
    )
