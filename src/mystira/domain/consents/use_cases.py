"""Asking a parent, hearing the answer, and taking it back; and asking that a child be forgotten."""

import datetime as dt
import random
from typing import Final

import msgspec
from msgspec import Struct

from manystore.clock import Clock
from manystore.repository import Found, Repository, Stored
from manystore.specifications import Descending, Specification, field
from mystira.domain.accounts.use_cases import Accounts
from mystira.domain.consents.letters import ask_parent
from mystira.domain.consents.model import (
    POLICY,
    ConsentStatus,
    DeletionRequest,
    NewConsent,
    NewDeletion,
    ParentalConsent,
    Purpose,
)
from mystira.domain.consents.rules import ConsentNeededError, is_child
from mystira.domain.errors import InvalidValueError, NotFoundError
from mystira.domain.ids import MakeId, make_id
from mystira.domain.letters import Letter
from mystira.domain.profiles.model import UserProfile
from mystira.domain.profiles.use_cases import Profiles
from mystira.domain.records import change_record, create_record, read_record
from mystira.domain.signing_in.codes import hash_code, is_code, make_code, read_code
from mystira.domain.signing_in.errors import CodeVoidError, WrongCodeError

Consents = Repository[ParentalConsent]
Deletions = Repository[DeletionRequest]

CODE_HOLDS: Final = dt.timedelta(days=1)
"""Longer than a code to sign in: the parent may be at work while the child waits."""
MOST_ATTEMPTS: Final = 5
DUE_AFTER: Final = dt.timedelta(days=30)
METHOD: Final = "email_code"
_PAGE: Final = 200


class Guardianship(Struct, frozen=True, kw_only=True):
    """What is needed to ask parents. `key` is the platform's; `randomness` must be the operating system's,
    except in simulations.
    """

    consents: Consents
    deletions: Deletions
    accounts: Accounts
    profiles: Profiles
    key: str
    clock: Clock
    randomness: random.Random
    maker: MakeId = make_id


class Asked(Struct, frozen=True, kw_only=True):
    """A consent that was asked for, and the letter that is to go out."""

    stored: Stored[ParentalConsent]
    letter: Letter

    @property
    def version(self) -> int:
        """The consent's version."""
        return self.stored.version


async def ask_for_consent(
    guardianship: Guardianship, profile_id: str, new: NewConsent, *, consent_id: str | None = None
) -> Asked:
    """Ask the parent, whose address is the account's: nobody can name another.

    Raises NotFoundError (profile, or no account), InvalidValueError (no child), AlreadyExistsError.
    """
    profile = (await read_record(guardianship.profiles, profile_id)).value
    now = guardianship.clock.now()
    if not is_child(profile, now.date()):
        raise InvalidValueError(field="profileId", reason="nobody has to consent for who is of age")
    if profile.account_id is None:
        raise NotFoundError(kind="accounts", key="")
    account = (await read_record(guardianship.accounts, profile.account_id)).value
    key = guardianship.maker() if consent_id is None else consent_id
    code, scope = make_code(guardianship.randomness), list(dict.fromkeys(new.scope))
    consent = ParentalConsent(
        id=key,
        created_at=now,
        updated_at=now,
        child_profile_id=profile.id,
        account_id=account.id,
        parent_email=account.email,
        method=METHOD,
        scope=[purpose.value for purpose in scope],
        code_hash=hash_code(guardianship.key, request_id=key, code=code),
        policy_version=POLICY,
        requested_at=now,
        expires_at=now + CODE_HOLDS,
    )
    stored = await create_record(guardianship.consents, consent)
    return Asked(stored=stored, letter=ask_parent(account.email, scope, code))


async def verify_consent(guardianship: Guardianship, consent_id: str, typed: str) -> Stored[ParentalConsent]:
    """The consent, given by the code that was mailed.

    Raises NotFoundError, InvalidValueError (what can be no code), WrongCodeError, CodeVoidError.
    """
    code, now = read_code(typed), guardianship.clock.now()

    def take(consent: ParentalConsent) -> ParentalConsent:
        _require_open(consent, now)
        if consent.failed_attempts >= MOST_ATTEMPTS:
            raise CodeVoidError
        return msgspec.structs.replace(consent, failed_attempts=consent.failed_attempts + 1)

    # Counted before the code is looked at: of any number of guesses at once only as many are compared.
    tried = (await change_record(guardianship.consents, consent_id, take, now=now)).value
    if not is_code(guardianship.key, tried.code_hash, request_id=tried.id, code=code):
        raise WrongCodeError(left=MOST_ATTEMPTS - tried.failed_attempts)

    def verify(consent: ParentalConsent) -> ParentalConsent:
        _require_open(consent, now)
        return msgspec.structs.replace(
            consent,
            status=ConsentStatus.VERIFIED,
            verified_at=now,
            code_hash=None,
            failed_attempts=max(0, consent.failed_attempts - 1),
        )

    return await change_record(guardianship.consents, consent_id, verify, now=now)


def _require_open(consent: ParentalConsent, now: dt.datetime) -> None:
    is_over = consent.expires_at is None or consent.expires_at <= now
    if consent.status is not ConsentStatus.REQUESTED or is_over:
        raise CodeVoidError


async def revoke_consent(guardianship: Guardianship, consent_id: str) -> Stored[ParentalConsent]:
    """The consent, taken back from now on; also one that was not given yet. Done again, nothing changes.

    Raises NotFoundError and ContendedError.
    """
    now = guardianship.clock.now()

    def revoke(consent: ParentalConsent) -> ParentalConsent:
        if consent.status is ConsentStatus.REVOKED:
            return consent
        return msgspec.structs.replace(consent, status=ConsentStatus.REVOKED, revoked_at=now, code_hash=None)

    return await change_record(guardianship.consents, consent_id, revoke, now=now)


async def list_consents(
    consents: Consents, profile_id: str, *, limit: int, continuation: str | None
) -> Found[ParentalConsent]:
    """One page of all that was ever asked for a profile, newest first."""
    return await consents.find(_of_child(profile_id, limit, continuation))


async def consented(consents: Consents, profile: UserProfile, purpose: Purpose) -> bool:
    """Whether a parent's consent to this holds now: given by the profile's account, and not taken back."""
    where = (field("childProfileId") == profile.id) & (field("status") == ConsentStatus.VERIFIED.value)
    found = await consents.find(Specification(where=where, limit=_PAGE))
    return any(
        purpose.value in stored.value.scope
        and (stored.value.account_id or "").lower() == (profile.account_id or "").lower()
        for stored in found.items
    )


async def may(consents: Consents, profile: UserProfile, purpose: Purpose, *, today: dt.date) -> bool:
    """Whether this is allowed for a profile: it is no child's, or a parent consented."""
    return not is_child(profile, today) or await consented(consents, profile, purpose)


async def require_consent(
    consents: Consents, profile: UserProfile, purpose: Purpose, *, field: str, today: dt.date
) -> None:
    """Raise ConsentNeededError unless this is allowed for a profile."""
    if not await may(consents, profile, purpose, today=today):
        raise ConsentNeededError(purpose=purpose, field=field)


async def ask_to_be_forgotten(
    guardianship: Guardianship, profile_id: str, new: NewDeletion, *, request_id: str | None = None
) -> Stored[DeletionRequest]:
    """Write down that all that is known of a child is to be deleted, and until when.

    Raises NotFoundError and AlreadyExistsError.
    """
    profile = (await read_record(guardianship.profiles, profile_id)).value
    now = guardianship.clock.now()
    request = DeletionRequest(
        id=guardianship.maker() if request_id is None else request_id,
        created_at=now,
        updated_at=now,
        child_profile_id=profile.id,
        account_id=profile.account_id,
        reason=new.reason,
        requested_at=now,
        due_at=now + DUE_AFTER,
    )
    return await create_record(guardianship.deletions, request)


async def list_deletions(
    deletions: Deletions, profile_id: str, *, limit: int, continuation: str | None
) -> Found[DeletionRequest]:
    """One page of what was asked for a profile, newest first."""
    return await deletions.find(_of_child(profile_id, limit, continuation))


def _of_child(profile_id: str, limit: int, continuation: str | None) -> Specification:
    return Specification(
        where=field("childProfileId") == profile_id,
        order=(Descending("createdAt"),),
        limit=limit,
        continuation=continuation,
    )
