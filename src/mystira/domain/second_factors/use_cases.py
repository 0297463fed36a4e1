"""Setting a second factor up, showing it, and taking it away.

Whoever shows it does so for one sign-in, which is staff's from then on; the next one begins without it.
"""

import datetime as dt
import random
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from manystore.clock import Clock
from manystore.repository import Repository
from mystira.domain.accounts.use_cases import Accounts, read_account
from mystira.domain.errors import AlreadyExistsError, NotFoundError, TooOftenError
from mystira.domain.letters import Letter
from mystira.domain.records import change_record, create_record, delete_record
from mystira.domain.second_factors.errors import (
    SecondFactorNotSetError,
    SecondFactorSetError,
    WrongSecondFactorError,
)
from mystira.domain.second_factors.letters import was_set_up
from mystira.domain.second_factors.model import SecondFactor
from mystira.domain.second_factors.sealing import seal, unseal
from mystira.domain.second_factors.totp import enrolment_uri, make_secret, step_of
from mystira.domain.signing_in.codes import keyed_hash, make_code, read_code, spell_code
from mystira.domain.signing_in.sign_ins import SignIns, end_sign_ins, note_second_factor

SecondFactors = Repository[SecondFactor]
Alter = Callable[[SecondFactor], SecondFactor]

FREE_ATTEMPTS: Final = 5
NEXT_ATTEMPT: Final = dt.timedelta(hours=1)
"""How long after an attempt the next one may be made, once the free ones are spent."""
RECOVERY_CODES: Final = 10
_PURPOSE: Final = "mystira:recovery-code"
_DIGITS: Final = 6


class Strongroom(Struct, frozen=True, kw_only=True):
    """What is needed to keep second factors. `key` is the platform's; `randomness` must be the operating
    system's, except in simulations.
    """

    factors: SecondFactors
    accounts: Accounts
    sign_ins: SignIns
    key: str
    clock: Clock
    randomness: random.Random


class Enrolment(Struct, frozen=True, kw_only=True):
    """A new secret, and the address by which apps take it. Neither is told again."""

    secret: str
    uri: str


class Enrolled(Struct, frozen=True, kw_only=True):
    """The recovery codes, which are told this once, and the letter that is to go out."""

    recovery_codes: list[str]
    letter: Letter


async def begin_enrolment(room: Strongroom, account_id: str) -> Enrolment:
    """A secret for the app of whoever has the account. Until a code of it is shown, it counts for nothing,
    and may be asked for again; only the last one is kept.

    Raises NotFoundError, SecondFactorSetError, ContendedError.
    """
    account, now = (await read_account(room.accounts, account_id)).value, room.clock.now()
    secret = make_secret(room.randomness)
    sealed = seal(room.key, secret, owner=account.id, randomness=room.randomness)

    def renew(factor: SecondFactor) -> SecondFactor:
        if factor.confirmed_at is not None:
            raise SecondFactorSetError
        # The attempts go on counting, or a new secret would buy new ones.
        return msgspec.structs.replace(factor, sealed_secret=sealed)

    new = SecondFactor(id=account.id, created_at=now, updated_at=now, sealed_secret=sealed)
    try:
        await change_record(room.factors, account.id, renew, now=now)
    except NotFoundError:
        try:
            await create_record(room.factors, new)
        except AlreadyExistsError:
            await change_record(room.factors, account.id, renew, now=now)
    return Enrolment(secret=secret, uri=enrolment_uri(secret, account.email))


async def finish_enrolment(room: Strongroom, account_id: str, sign_in_id: str, typed: str) -> Enrolled:
    """Have the second factor count from now on, for whoever shows that their app knows the secret.

    Raises SecondFactorNotSetError, SecondFactorSetError, WrongSecondFactorError, TooOftenError and
    ContendedError.
    """
    account = (await read_account(room.accounts, account_id)).value
    now, factor = room.clock.now(), await _take_attempt(room, account.id, is_confirmed=False)
    step = _step(room, factor, typed, now)
    codes = [make_code(room.randomness) for _ in range(RECOVERY_CODES)]
    hashes = [_hash(room, account.id, code) for code in codes]

    def confirm(known: SecondFactor) -> SecondFactor:
        if known.confirmed_at is not None:
            raise SecondFactorSetError
        if known.sealed_secret != factor.sealed_secret:
            # Another secret was asked for meanwhile: this code is not one of it.
            raise WrongSecondFactorError
        return msgspec.structs.replace(
            known, confirmed_at=now, last_step=step, recovery_hashes=hashes, failed_attempts=0
        )

    await _change(room, account.id, confirm)
    await note_second_factor(room.sign_ins, sign_in_id, now=now)
    return Enrolled(recovery_codes=[spell_code(code) for code in codes], letter=was_set_up(account.email))


async def show_second_factor(room: Strongroom, account_id: str, sign_in_id: str, typed: str) -> int:
    """Let a sign-in do what staff may. Returns how many recovery codes are left.

    Raises SecondFactorNotSetError, WrongSecondFactorError, TooOftenError, ContendedError. Of any number who
    show the same code at once, one gets in.
    """
    factor, now = await _take_attempt(room, account_id, is_confirmed=True), room.clock.now()
    plain = typed.replace(" ", "")
    if plain.isdigit() and len(plain) == _DIGITS:
        use = _use_step(_step(room, factor, plain, now))
    else:
        use = _use_recovery_code(_hash(room, account_id, read_code(typed)))
    # The code is used up first: should what follows fail, it opens nothing, and the next one does.
    used = await _change(room, account_id, use)
    await note_second_factor(room.sign_ins, sign_in_id, now=now)
    return len(used.recovery_hashes)


async def reset_second_factor(factors: SecondFactors, sign_ins: SignIns, account_id: str) -> None:
    """Take a second factor away, and every sign-in with it, for somebody who has lost theirs.

    Raises SecondFactorNotSetError and ContendedError.
    """
    # The sign-ins last: whoever has one of them gets no further without a factor than with one.
    try:
        await delete_record(factors, account_id)
    except NotFoundError as error:
        raise SecondFactorNotSetError from error
    await end_sign_ins(sign_ins, account_id)


async def forget_second_factor(factors: SecondFactors, account_id: str) -> None:
    """Remove what is kept of an account that is being deleted. Raises ContendedError."""
    try:
        await delete_record(factors, account_id)
    except NotFoundError:
        return


async def _take_attempt(room: Strongroom, account_id: str, *, is_confirmed: bool) -> SecondFactor:
    """The second factor with one attempt more.

    It is counted before the code is looked at: of any number of guesses at once only as many are compared.
    """
    now = room.clock.now()

    def take(factor: SecondFactor) -> SecondFactor:
        if (factor.confirmed_at is not None) is not is_confirmed:
            raise SecondFactorNotSetError if is_confirmed else SecondFactorSetError
        if factor.failed_attempts >= FREE_ATTEMPTS and factor.tried_at is not None:
            left = (factor.tried_at + NEXT_ATTEMPT - now).total_seconds()
            if left > 0:
                raise TooOftenError(retry_after=left)
        return msgspec.structs.replace(factor, failed_attempts=factor.failed_attempts + 1, tried_at=now)

    return await _change(room, account_id, take)


async def _change(room: Strongroom, account_id: str, alter: Alter) -> SecondFactor:
    try:
        return (await change_record(room.factors, account_id, alter, now=room.clock.now())).value
    except NotFoundError as error:
        raise SecondFactorNotSetError from error


def _use_step(step: int) -> Alter:
    def use(factor: SecondFactor) -> SecondFactor:
        if step <= factor.last_step:
            raise WrongSecondFactorError
        return msgspec.structs.replace(factor, last_step=step, failed_attempts=0)

    return use


def _use_recovery_code(hashed: str) -> Alter:
    def use(factor: SecondFactor) -> SecondFactor:
        if hashed not in factor.recovery_hashes:
            raise WrongSecondFactorError
        left = [each for each in factor.recovery_hashes if each != hashed]
        return msgspec.structs.replace(factor, recovery_hashes=left, failed_attempts=0)

    return use


def _step(room: Strongroom, factor: SecondFactor, typed: str, now: dt.datetime) -> int:
    secret = unseal(room.key, factor.sealed_secret, owner=factor.id)
    if secret is None:
        # Sealed by a key that the platform has no more: only a reset helps.
        raise SecondFactorNotSetError
    step = step_of(secret, typed.replace(" ", ""), now)
    if step is None:
        raise WrongSecondFactorError
    return step


def _hash(room: Strongroom, account_id: str, code: str) -> str:
    return keyed_hash(room.key, _PURPOSE, account_id.lower(), code)
