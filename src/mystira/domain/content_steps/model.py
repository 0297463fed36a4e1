"""A step with content as it is kept, and how steps are searched for."""

import enum
from typing import Annotated

from msgspec import Meta, Struct

from mystira.domain.records import Entity


class Outcome(enum.StrEnum):
    """Asked for; done; or refused. Whether one that stays Asked was done, only its subject tells."""

    ASKED = "Asked"
    DONE = "Done"
    REFUSED = "Refused"


class ContentStep(Entity, frozen=True, kw_only=True, rename="camel"):
    """Who (`actor`) asked for which operation (`action`) on what (`subject`), when (`created_at`), and why.

    `code` is that of the refusal.
    """

    actor: str
    action: str
    subject: str
    reason: str | None = None
    outcome: Outcome = Outcome.ASKED
    code: str | None = None


Word = Annotated[str, Meta(min_length=1, max_length=255)]


class StepSearch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which steps to list, newest first: those that satisfy all that is given."""

    actor: Word | None = None
    action: Word | None = None
    subject: Word | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    continuation: Annotated[str, Meta(max_length=4096)] | None = None
