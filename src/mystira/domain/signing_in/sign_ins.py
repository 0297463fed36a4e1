"""Who is signed in: by an opaque token of 256 random bits, of which only a hash is kept.

A sign-in ends when it was not used for some time (`idle`), when it is old (`longest`), when it is revoked,
and when its account goes. Each of these is looked at for every request, so all of them take effect at once.
"""

import base64
import datetime as dt
import hashlib
import random
from typing import Final

import msgspec
import structlog

from manystore.clock import Clock
from manystore.errors import UnavailableError, VersionConflictError
from manystore.repository import Repository, Stored
from manystore.specifications import Specification, field
from mystira.domain.accounts.model import Account
from mystira.domain.accounts.use_cases import Accounts
from mystira.domain.errors import NotFoundError
from mystira.domain.records import change_record, create_record, delete_record
from mystira.domain.signing_in.model import SignIn

SignIns = Repository[SignIn]

NOTED_EVERY: Final = dt.timedelta(hours=1)
"""How exactly it is known when a sign-in was last used: noting each request would be a write for each."""
_TOKEN_BYTES: Final = 32
_LONGEST_AGENT: Final = 255
_BATCH: Final = 100

log = structlog.get_logger(__name__)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How long a sign-in lasts: without being used (`idle`), and in any case (`longest`)."""

    idle: dt.timedelta = dt.timedelta(days=30)
    longest: dt.timedelta = dt.timedelta(days=90)


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A new sign-in, and its token, which is told this once."""

    token: str
    sign_in: Stored[SignIn]


class Recognised(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a token belongs to."""

    account: Account
    sign_in: SignIn


async def open_sign_in(
    sign_ins: SignIns,
    account: Account,
    *,
    clock: Clock,
    randomness: random.Random,
    terms: Terms,
    user_agent: str | None = None,
) -> Opened:
    """Sign somebody in. `randomness` must be that of the operating system, except in simulations."""
    token, now = _make_token(randomness), clock.now()
    sign_in = SignIn(
        id=_name_of(token),
        created_at=now,
        updated_at=now,
        account_id=account.id,
        role=account.role,
        expires_at=now + min(terms.idle, terms.longest),
        last_seen_at=now,
        user_agent=None if user_agent is None else user_agent[:_LONGEST_AGENT],
    )
    return Opened(token=token, sign_in=await create_record(sign_ins, sign_in))


async def recognise(
    sign_ins: SignIns, accounts: Accounts, token: str, *, clock: Clock, terms: Terms
) -> Recognised | None:
    """Whom the token belongs to; None where it has run out, was revoked, or is none of ours."""
    stored = await sign_ins.get(_name_of(token))
    now = clock.now()
    if stored is None or stored.value.expires_at <= now:
        return None
    # Asked for each time, so that a new role, and the end of an account, count from now on.
    account = await accounts.get(stored.value.account_id)
    if account is None:
        return None
    if now - stored.value.last_seen_at >= NOTED_EVERY:
        await _note_use(sign_ins, stored, now, terms)
    return Recognised(account=account.value, sign_in=stored.value)


async def _note_use(sign_ins: SignIns, stored: Stored[SignIn], now: dt.datetime, terms: Terms) -> None:
    ends = min(now + terms.idle, stored.value.created_at + terms.longest)
    used = msgspec.structs.replace(stored.value, last_seen_at=now, updated_at=now, expires_at=ends)
    try:
        await sign_ins.change(stored, used)
    except VersionConflictError:
        # Another request noted it, or the sign-in was revoked, which this must not undo.
        return
    except UnavailableError as error:
        log.warning("sign_in.use_not_noted", reason=error.reason)


async def note_second_factor(sign_ins: SignIns, sign_in_id: str, *, now: dt.datetime) -> None:
    """Write down that a second factor was shown for a sign-in. Raises NotFoundError where it was revoked
    meanwhile, and ContendedError.
    """

    def note(sign_in: SignIn) -> SignIn:
        return msgspec.structs.replace(sign_in, second_factor_at=now)

    await change_record(sign_ins, sign_in_id, note, now=now)


async def end_sign_in(sign_ins: SignIns, sign_in_id: str) -> None:
    """Revoke one sign-in; one that has ended is passed over. Raises ContendedError."""
    try:
        await delete_record(sign_ins, sign_in_id)
    except NotFoundError:
        return


async def end_sign_ins(sign_ins: SignIns, account_id: str) -> int:
    """Revoke every sign-in of an account. Returns how many there were. Raises ContendedError."""
    ended = 0
    theirs = Specification(where=field("accountId") == account_id, limit=_BATCH)
    while items := (await sign_ins.find(theirs)).items:
        for stored in items:
            await end_sign_in(sign_ins, stored.key)
        ended += len(items)
    return ended


def _make_token(randomness: random.Random) -> str:
    secret = randomness.getrandbits(_TOKEN_BYTES * 8).to_bytes(_TOKEN_BYTES, "big")
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def _name_of(token: str) -> str:
    # Without a key and without stretching: nobody guesses 256 bits, however fast they can try.
    return hashlib.sha256(token.encode()).hexdigest()
