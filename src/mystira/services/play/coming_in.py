"""Coming in by a code that is mailed, and going out again, in a browser."""

from http import HTTPStatus
from typing import Final

import msgspec
from litestar.response.base import ASGIResponse
from msgspec import Struct

from mystira.domain.errors import InvalidValueError
from mystira.domain.forms import EmailAddress, FilledLine, RecordId
from mystira.domain.profiles.model import ProfileSearch
from mystira.domain.profiles.use_cases import list_profiles
from mystira.domain.signing_in.errors import CodeVoidError, WrongCodeError
from mystira.domain.signing_in.model import CodeText, Confirmation, SignInRequest, SignUpRequest
from mystira.domain.signing_in.sign_ins import end_sign_in
from mystira.domain.signing_in.use_cases import (
    CODE_HOLDS,
    Requested,
    ask_to_sign_in,
    ask_to_sign_up,
    confirm_code,
)
from mystira.services.play.desk import HOME, Desk
from mystira.services.play.rendering import see_other
from mystira.services.play.visits import REQUEST, SIGN_IN, VISITOR, Visit

_MOST_READERS: Final = 50
_ADDRESS: Final = "That does not look like an e-mail address. One looks like this: ada@example.org"
_NAME: Final = "Please tell us what to call you."
NO_CODE: Final = "A code has eight letters and digits, such as 7KQ2-M4XD."
VOID_CODE: Final = "This code is too old, or was used already. Please ask for a new one."


class _Address(Struct, frozen=True):
    email: EmailAddress


class _Name(Struct, frozen=True):
    name: FilledLine


class _Code(Struct, frozen=True):
    code: CodeText


class ComingIn:
    """The pages before the first story."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def home(self, visit: Visit) -> ASGIResponse:
        """Who reads today; or, for whoever is not signed in, the way in."""
        if visit.account is None:
            return self._desk.show(visit, "welcome.html", email="", complaint=None)
        search = ProfileSearch(account_id=visit.account.id, limit=_MOST_READERS)
        found = await list_profiles(self._desk.play.profiles, search)
        readers = [stored.value for stored in found.items if not stored.value.is_npc]
        return self._desk.show(visit, "readers.html", readers=readers)

    async def ask(self, visit: Visit) -> ASGIResponse:
        """Have a code mailed to somebody who has been here."""
        email = visit.form.get("email", "")
        try:
            visit.sent(_Address)
        except msgspec.ValidationError:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            return self._desk.show(visit, "welcome.html", status=status, email=email, complaint=_ADDRESS)
        await self._desk.admission.to_ask(visit.address, email)
        return self._asked(visit, await ask_to_sign_in(self._desk.reception, SignInRequest(email=email)))

    async def new(self, visit: Visit) -> ASGIResponse:
        """The form for whoever is new."""
        return self._desk.show(visit, "new.html", name="", email="", complaints={})

    async def sign_up(self, visit: Visit) -> ASGIResponse:
        """Have a code mailed to somebody who is new."""
        email, name = visit.form.get("email", ""), visit.form.get("name", "")
        complaints = {}
        for field, form, complaint in (("name", _Name, _NAME), ("email", _Address, _ADDRESS)):
            try:
                visit.sent(form)
            except msgspec.ValidationError:
                complaints[field] = complaint
        if complaints:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            return self._desk.show(
                visit, "new.html", status=status, name=name, email=email, complaints=complaints
            )
        await self._desk.admission.to_ask(visit.address, email)
        sent = SignUpRequest(email=email, display_name=name)
        return self._asked(visit, await ask_to_sign_up(self._desk.reception, sent))

    def _asked(self, visit: Visit, requested: Requested) -> ASGIResponse:
        if requested.letter is not None:
            self._desk.outside.outgoing.post(requested.letter)
        seconds = int(CODE_HOLDS.total_seconds())
        cookie = visit.keep(REQUEST, requested.request.value.id, seconds=seconds)
        return see_other(f"{HOME}/code", cookies=(cookie,))

    async def code(self, visit: Visit) -> ASGIResponse:
        """The form for the code."""
        if visit.account is not None:
            return see_other(HOME)
        return self._desk.show(visit, "code.html", code="", complaint=None)

    async def confirm(self, visit: Visit) -> ASGIResponse:
        """Come in with the code."""
        if visit.account is not None:
            # The second click of two: the first one was let in.
            return see_other(HOME)
        await self._desk.admission.to_confirm(visit.address)
        try:
            typed = visit.sent(_Code).code
            request_id = msgspec.convert(visit.cookies.get(REQUEST), RecordId)
        except msgspec.ValidationError:
            return self._mistaken(visit, NO_CODE if REQUEST in visit.cookies else VOID_CODE)
        try:
            sent = Confirmation(request_id=request_id, code=typed)
            came = await confirm_code(self._desk.reception, sent, user_agent=visit.agent)
        except WrongCodeError as error:
            return self._mistaken(visit, wrong_code(error.left))
        except CodeVoidError:
            return self._mistaken(visit, VOID_CODE)
        except InvalidValueError:
            return self._mistaken(visit, NO_CODE)
        longest = int(self._desk.reception.terms.longest.total_seconds())
        cookies = (visit.keep(SIGN_IN, came.opened.token, seconds=longest), visit.forget(REQUEST))
        return see_other(HOME, cookies=cookies)

    def _mistaken(self, visit: Visit, complaint: str) -> ASGIResponse:
        status, typed = HTTPStatus.UNPROCESSABLE_ENTITY, visit.form.get("code", "")
        return self._desk.show(visit, "code.html", status=status, code=typed, complaint=complaint)

    async def leave(self, visit: Visit) -> ASGIResponse:
        """Sign out."""
        if visit.sign_in is not None:
            await end_sign_in(self._desk.reception.sign_ins, visit.sign_in.id)
        return see_other(HOME, cookies=(visit.forget(SIGN_IN), visit.forget(VISITOR)))


def wrong_code(left: int) -> str:
    """What to say of a code that is not the one, with so many tries left."""
    if left == 0:
        return "That is not the code, and it was the last try. Please ask for a new one."
    tries = "one more try" if left == 1 else f"{left} more tries"
    return f"That is not the code. Look at the letter again; you have {tries}."
