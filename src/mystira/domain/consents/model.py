"""What is kept of a parent's consent and of a request to be forgotten, and what people send for either."""

import datetime as dt
import enum
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from mystira.domain.forms import Paragraphs
from mystira.domain.records import Entity
from mystira.domain.signing_in.model import CodeText

POLICY: Final = "2026-11-20"
"""Of which edition of docs/explanation/consent.md a consent speaks."""


class Purpose(enum.StrEnum):
    """What a parent consents to, each by itself."""

    PLAY = "play"
    DETAILS = "details"
    NAME = "name"
    ANALYTICS = "analytics"
    PURCHASES = "purchases"


class ConsentStatus(enum.StrEnum):
    """Asked for, given, or taken back. One that was asked for and not given in time stays Requested."""

    REQUESTED = "Requested"
    VERIFIED = "Verified"
    REVOKED = "Revoked"


class ParentalConsent(Entity, frozen=True, kw_only=True, rename="camel"):
    """One consent as it is stored. It is never deleted: who consented to what, and until when, is its proof.

    `failed_attempts` counts each attempt before it is known how it ends.
    """

    child_profile_id: str
    account_id: str | None = None
    parent_email: str | None = None
    status: ConsentStatus = ConsentStatus.REQUESTED
    method: str | None = None
    scope: list[str] = msgspec.field(default_factory=list)
    code_hash: str | None = None
    policy_version: str | None = None
    requested_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    verified_at: dt.datetime | None = None
    revoked_at: dt.datetime | None = None
    failed_attempts: int = 0


class DeletionStatus(enum.StrEnum):
    """Asked for, or done."""

    REQUESTED = "Requested"
    COMPLETED = "Completed"


class DeletionRequest(Entity, frozen=True, kw_only=True, rename="camel"):
    """A request to delete all that is known of a child, to be carried out before `due_at`."""

    child_profile_id: str
    account_id: str | None = None
    status: DeletionStatus = DeletionStatus.REQUESTED
    reason: str | None = None
    requested_at: dt.datetime | None = None
    due_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None


class NewConsent(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """To what a parent is to be asked for consent; to everything unless it says less."""

    scope: Annotated[list[Purpose], Meta(min_length=1, max_length=5)] = msgspec.field(
        default_factory=lambda: list(Purpose)
    )


class ConsentCode(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The code that was mailed to the parent."""

    code: CodeText


class NewDeletion(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A request to delete what is known of a child."""

    reason: Paragraphs | None = None
