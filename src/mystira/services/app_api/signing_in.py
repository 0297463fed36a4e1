"""Signing up and in by a code that is mailed, and out again.

Whoever asks for a code learns nothing about the address: refusals, answers and the work done before them are
the same whether or not it has an account.
"""

import datetime as dt
import functools
from typing import Any

from msgspec import Struct

from mystira.domain.accounts.model import Role
from mystira.domain.accounts.use_cases import read_account
from mystira.domain.signing_in.model import Confirmation, SignInRequest, SignUpRequest
from mystira.domain.signing_in.sign_ins import end_sign_in, end_sign_ins
from mystira.domain.signing_in.use_cases import (
    Reception,
    Requested,
    ask_to_sign_in,
    ask_to_sign_up,
    confirm_code,
)
from mystira.gateways.outside import Outside
from mystira.http.admission import Admission
from mystira.http.callers import ANYONE, OWN_ACCOUNT, SIGNED_IN
from mystira.http.operations import Answer, Call, Operation, show, show_nothing
from mystira.http.problems import ProblemError
from mystira.http.queries import Nothing
from mystira.services.app_api.accounts import AccountView
from mystira.services.app_api.answers import view
from mystira.settings import Settings


class RequestedView(Struct, frozen=True, kw_only=True, rename="camel"):
    """What to send along with the code, and until when."""

    request_id: str
    expires_at: dt.datetime


class SignedInView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The `token` to send as `Authorization: Bearer …` from now on, which nobody can be told again."""

    token: str
    expires_at: dt.datetime
    account: AccountView


class Me(Struct, frozen=True, kw_only=True, rename="camel"):
    """Who asks. A program of the platform has no `account`.

    As long as `lacks_second_factor`, nothing else that staff ask is answered.
    """

    role: Role | None
    lacks_second_factor: bool
    account: AccountView | None


class SigningInRoutes:
    """What each operation on signing in does."""

    def __init__(self, reception: Reception, outside: Outside, settings: Settings) -> None:
        self._reception, self._outside = reception, outside
        self._admission = Admission(outside, settings, reception.key)

    async def sign_up(self, call: Call[SignUpRequest]) -> Answer:
        """Ask for an account."""
        await self._admission.to_ask(_counted(call), call.sent.email)
        return self._answer(await ask_to_sign_up(self._reception, call.sent))

    async def sign_in(self, call: Call[SignInRequest]) -> Answer:
        """Ask to be let in."""
        await self._admission.to_ask(_counted(call), call.sent.email)
        return self._answer(await ask_to_sign_in(self._reception, call.sent))

    async def confirm(self, call: Call[Confirmation]) -> Answer:
        """Come in."""
        await self._admission.to_confirm(_counted(call))
        agent = call.header("user-agent")
        came = await confirm_code(self._reception, call.sent, user_agent=agent)
        signed_in = SignedInView(
            token=came.opened.token,
            expires_at=came.opened.sign_in.value.expires_at,
            account=view(AccountView, came.account),
        )
        return show(signed_in)

    async def sign_out(self, call: Call[Nothing]) -> Answer:
        """Revoke the token that came with the request."""
        if call.caller.sign_in_id is None:
            raise ProblemError("not_found", "A program of the platform has no sign-in to end.")
        await end_sign_in(self._reception.sign_ins, call.caller.sign_in_id)
        return show_nothing()

    async def sign_out_everywhere(self, call: Call[Nothing]) -> Answer:
        """Revoke all tokens of an account."""
        await read_account(self._reception.accounts, call.path["accountId"])
        await end_sign_ins(self._reception.sign_ins, call.path["accountId"])
        return show_nothing()

    async def me(self, call: Call[Nothing]) -> Answer:
        """Who asks."""
        caller = call.caller
        if caller.account_id is None:
            return show(Me(role=caller.role, lacks_second_factor=False, account=None))
        account = await read_account(self._reception.accounts, caller.account_id)
        shown = view(AccountView, account)
        return show(
            Me(role=account.value.role, lacks_second_factor=caller.lacks_second_factor, account=shown)
        )

    def _answer(self, requested: Requested) -> Answer:
        if requested.letter is not None:
            self._outside.outgoing.post(requested.letter)
        request = requested.request.value
        assert request.expires_at is not None, "a request that was just made ends"
        return show(RequestedView(request_id=request.id, expires_at=request.expires_at), status=202)


def _counted(call: Call[Any]) -> str | None:
    # What runs the platform may ask for many people from one place.
    return None if call.caller.reaches_all else call.address


def signing_in_operations(
    reception: Reception, outside: Outside, settings: Settings
) -> tuple[Operation[Any], ...]:
    """What can be asked about signing in."""
    routes = SigningInRoutes(reception, outside, settings)
    return (*_coming_in(routes), *_being_in(routes))


def _coming_in(routes: SigningInRoutes) -> tuple[Operation[Any], ...]:
    asking = functools.partial(Operation, method="POST", tag="signing in", allows=ANYONE)
    return (
        asking(
            path="/sign-ups",
            name="signUp",
            summary="Ask for an account",
            description=(
                "A code is mailed, with which the account is opened. The answer is the same where the "
                "address has an account already; only its owner is told, by mail."
            ),
            takes=SignUpRequest,
            handle=routes.sign_up,
            answers={202: RequestedView},
            refuses=("too_often",),
            locates=False,
            example={"email": "ada@example.org", "displayName": "Ada"},
        ),
        asking(
            path="/sign-ins",
            name="signIn",
            summary="Ask to be let in",
            description=(
                "A code is mailed where the address has an account. The answer is the same where it has none."
            ),
            takes=SignInRequest,
            handle=routes.sign_in,
            answers={202: RequestedView},
            refuses=("too_often",),
            locates=False,
            example={"email": "ada@example.org"},
        ),
        asking(
            path="/sign-ins/confirm",
            name="confirmSignIn",
            summary="Come in with the code",
            description=(
                "A code holds for ten minutes, for five attempts and once. Small letters and hyphens in it "
                "make no difference."
            ),
            takes=Confirmation,
            handle=routes.confirm,
            answers={200: SignedInView},
            refuses=("too_often", "wrong_code", "code_void", "contended"),
            example={"requestId": "01941f29-7c00-7ccc-9ccc-cccccccccccc", "code": "7KQ2-M4XD"},
        ),
    )


def _being_in(routes: SigningInRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="signing in", takes=Nothing, allows=SIGNED_IN)
    return (
        operation(
            method="DELETE",
            path="/sign-ins/current",
            name="signOut",
            summary="Sign out",
            allows=SIGNED_IN.by_one_factor(),
            description="The token that came with the request opens nothing from now on.",
            handle=routes.sign_out,
            answers={204: None},
            refuses=("not_found", "contended"),
        ),
        operation(
            method="DELETE",
            path="/accounts/{accountId}/sign-ins",
            name="signOutEverywhere",
            summary="Sign out everywhere",
            description="No token of the account opens anything from now on.",
            owner=OWN_ACCOUNT,
            handle=routes.sign_out_everywhere,
            answers={204: None},
            refuses=("contended",),
        ),
        operation(
            method="GET",
            path="/me",
            name="getMe",
            summary="Who asks",
            allows=SIGNED_IN.by_one_factor(),
            handle=routes.me,
            answers={200: Me},
            refuses=("not_found",),
        ),
    )
