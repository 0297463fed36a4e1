"""Signing up and in: a code is asked for, mailed, and confirmed.

What can be seen from outside is the same whether or not an address has an account: each request is written
down with a code of its own, and only whether a letter goes out differs, which nobody waits for.
"""

import datetime as dt
import random
from typing import Final

import msgspec

from manystore.clock import Clock
from manystore.repository import Repository, Stored
from manystore.specifications import Specification, field
from mystira.domain.accounts.model import Account, NewAccount, Role
from mystira.domain.accounts.use_cases import Accounts, create_account
from mystira.domain.errors import NotFoundError, NotUniqueError
from mystira.domain.ids import MakeId, make_id
from mystira.domain.letters import Letter
from mystira.domain.records import change_record, create_record
from mystira.domain.signing_in import letters
from mystira.domain.signing_in.codes import hash_code, is_code, make_code, read_code
from mystira.domain.signing_in.errors import CodeVoidError, WrongCodeError
from mystira.domain.signing_in.model import Confirmation, PendingSignup, SignInRequest, SignUpRequest
from mystira.domain.signing_in.sign_ins import Opened, SignIns, Terms, open_sign_in

PendingSignups = Repository[PendingSignup]

CODE_HOLDS: Final = dt.timedelta(minutes=10)
MOST_ATTEMPTS: Final = 5


class Reception(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to let people in. `key` is that of the platform; `randomness` must be the operating
    system's, except in simulations.
    """

    accounts: Accounts
    pending: PendingSignups
    sign_ins: SignIns
    key: str
    clock: Clock
    randomness: random.Random
    terms: Terms = Terms()
    maker: MakeId = make_id


class Requested(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a code, and the letter that is to go out, if any."""

    request: Stored[PendingSignup]
    letter: Letter | None


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """Who came in, and by what token."""

    account: Stored[Account]
    opened: Opened


async def ask_to_sign_up(reception: Reception, sent: SignUpRequest) -> Requested:
    """Ask for an account. Whoever has one is told so by mail alone, and let in to it by the code."""
    code, request = await _request(reception, sent.email, sent.display_name, is_signin=False)
    account = await find_account(reception.accounts, sent.email)
    if account is None:
        return Requested(request=request, letter=letters.welcome(sent.email, sent.display_name, code))
    letter = letters.already_here(account.value.email, account.value.display_name, code)
    return Requested(request=request, letter=letter)


async def ask_to_sign_in(reception: Reception, sent: SignInRequest) -> Requested:
    """Ask to be let in. For an address that nobody has the code goes nowhere."""
    code, request = await _request(reception, sent.email, "", is_signin=True)
    account = await find_account(reception.accounts, sent.email)
    # Written in either case, so that either takes as long.
    email, name = (sent.email, "") if account is None else (account.value.email, account.value.display_name)
    letter = letters.come_in(email, name, code)
    return Requested(request=request, letter=None if account is None else letter)


async def _request(
    reception: Reception, email: str, display_name: str, *, is_signin: bool
) -> tuple[str, Stored[PendingSignup]]:
    key, now, code = reception.maker(), reception.clock.now(), make_code(reception.randomness)
    request = PendingSignup(
        id=key,
        created_at=now,
        updated_at=now,
        email=email,
        display_name=display_name,
        code_hash=hash_code(reception.key, request_id=key, code=code),
        request_id=key,
        expires_at=now + CODE_HOLDS,
        is_signin=is_signin,
    )
    return code, await create_record(reception.pending, request)


async def find_account(accounts: Accounts, email: str) -> Stored[Account] | None:
    """The account with that address, however it is spelled in capitals."""
    wanted = Specification(where=field("email").equals_ignoring_case(email), limit=1)
    found = await accounts.find(wanted)
    return found.items[0] if found.items else None


async def confirm_code(
    reception: Reception, sent: Confirmation, *, user_agent: str | None = None
) -> SignedIn:
    """Let in whoever shows the code that was mailed; the account is made now if it is to be.

    Raises WrongCodeError, CodeVoidError and InvalidValueError (what can be no code). However many confirm
    the same code at once, one of them gets a token.
    """
    code = read_code(sent.code)
    request = await _take_attempt(reception, sent.request_id)
    if not is_code(reception.key, request.code_hash, request_id=request.id, code=code):
        raise WrongCodeError(left=MOST_ATTEMPTS - request.failed_attempts)
    # The account first: should this fail, the code can still be used.
    account = await _enter_account(reception, request)
    await _use_up(reception, request.id)
    opened = await open_sign_in(
        reception.sign_ins,
        account.value,
        clock=reception.clock,
        randomness=reception.randomness,
        terms=reception.terms,
        user_agent=user_agent,
    )
    return SignedIn(account=account, opened=opened)


async def _take_attempt(reception: Reception, request_id: str) -> PendingSignup:
    """The request with one attempt more.

    It is counted before the code is looked at: of any number of guesses at once only as many are compared.
    """
    now = reception.clock.now()

    def take(request: PendingSignup) -> PendingSignup:
        _require_open(request, now)
        if request.failed_attempts >= MOST_ATTEMPTS:
            raise CodeVoidError
        return msgspec.structs.replace(request, failed_attempts=request.failed_attempts + 1)

    try:
        return (await change_record(reception.pending, request_id, take, now=now)).value
    except NotFoundError as error:
        raise CodeVoidError from error


async def _use_up(reception: Reception, request_id: str) -> None:
    """Mark the code as used, and the attempt as none that failed. Raises CodeVoidError for all but one."""
    now = reception.clock.now()

    def use(request: PendingSignup) -> PendingSignup:
        _require_open(request, now)
        return msgspec.structs.replace(
            request, is_used=True, failed_attempts=max(0, request.failed_attempts - 1)
        )

    try:
        await change_record(reception.pending, request_id, use, now=now)
    except NotFoundError as error:
        raise CodeVoidError from error


def _require_open(request: PendingSignup, now: dt.datetime) -> None:
    if request.is_used or request.expires_at is None or request.expires_at <= now:
        raise CodeVoidError


async def _enter_account(reception: Reception, request: PendingSignup) -> Stored[Account]:
    """The account of the address, made if that is what was asked for, with this visit noted."""
    account = await find_account(reception.accounts, request.email)
    if account is None and not request.is_signin:
        new = NewAccount(email=request.email, display_name=request.display_name)
        try:
            return await create_account(
                reception.accounts, new, clock=reception.clock, maker=reception.maker, role=Role.USER
            )
        except NotUniqueError:
            # Somebody else confirmed for this address between our look and our write.
            account = await find_account(reception.accounts, request.email)
    if account is None:
        raise CodeVoidError
    now = reception.clock.now()

    def note_visit(known: Account) -> Account:
        return msgspec.structs.replace(known, last_login_at=now)

    try:
        return await change_record(reception.accounts, account.key, note_visit, now=now)
    except NotFoundError as error:
        raise CodeVoidError from error
