"""Who asks in tests: whoever runs the platform, unless a test says otherwise."""

import random
import uuid
from collections.abc import Generator

import httpx
import msgspec

from manystore.clock import Clock
from mystira.clients.service_key import find_service_key
from mystira.clients.service_tokens import BearerToken, Credentials, ServiceCredentials
from mystira.domain.accounts.model import NewAccount, Role
from mystira.domain.accounts.use_cases import create_account, read_account
from mystira.domain.signing_in.kind import SIGN_INS
from mystira.domain.signing_in.model import SignIn
from mystira.domain.signing_in.sign_ins import Terms, note_second_factor, open_sign_in
from mystira.platform import Platform
from mystira.settings import Settings


class Showing(httpx.Auth):
    """Shows credentials with each request that shows none by itself."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        shown = self._credentials.header(request.url.path)
        if shown is not None:
            request.headers.setdefault("Authorization", shown)
        yield request


def operator(settings: Settings, clock: Clock | None = None) -> Showing:
    """Whoever runs the platform of these settings, which has its key already.

    Tokens hold by the clock of the platform: where that is not the machine's, it is given.
    """
    return Showing(ServiceCredentials(find_service_key(settings), clock=clock))


class Member(msgspec.Struct, frozen=True):
    """Somebody who is signed in."""

    account_id: str
    token: str
    sign_in_id: str

    @property
    def shows(self) -> Showing:
        """How they show who they are."""
        return Showing(BearerToken(self.token))


async def let_in(
    platform: Platform,
    *,
    role: Role = Role.USER,
    account_id: str | None = None,
    second_factor: bool = True,
) -> Member:
    """Somebody of that role, signed in as if by a code, and by a second factor unless it says otherwise; in a
    new account unless there is one.
    """
    accounts, clock = platform.accounts, platform.clock
    if account_id is None:
        new = NewAccount(email=f"{uuid.uuid4().hex}@example.org", display_name="Ada")
        account = (await create_account(accounts, new, clock=clock, role=role)).value
    else:
        account = (await read_account(accounts, account_id)).value
    sign_ins = platform.repository(SignIn, SIGN_INS)
    opened = await open_sign_in(
        sign_ins,
        account,
        clock=clock,
        randomness=random.SystemRandom(),
        terms=Terms(),
    )
    if second_factor:
        await note_second_factor(sign_ins, opened.sign_in.key, now=clock.now())
    return Member(account.id, opened.token, opened.sign_in.key)
