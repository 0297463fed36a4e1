"""The page on which a parent allows a child to play: a letter is asked for, and its code typed."""

from http import HTTPStatus
from typing import Final

import msgspec
from litestar.response.base import ASGIResponse
from msgspec import Struct

from mystira.domain.consents.model import NewConsent, ParentalConsent, Purpose
from mystira.domain.consents.use_cases import CODE_HOLDS, ask_for_consent, verify_consent
from mystira.domain.errors import InvalidValueError, NotFoundError
from mystira.domain.forms import RecordId
from mystira.domain.profiles.model import UserProfile
from mystira.domain.records import read_record
from mystira.domain.signing_in.errors import CodeVoidError, WrongCodeError
from mystira.domain.signing_in.model import CodeText
from mystira.services.play.coming_in import NO_CODE, VOID_CODE, wrong_code
from mystira.services.play.desk import HOME, Desk
from mystira.services.play.families import account_of, reader_of
from mystira.services.play.rendering import see_other
from mystira.services.play.visits import CONSENT, Visit

_PLAY: Final = NewConsent(scope=[Purpose.PLAY])


class _Code(Struct, frozen=True):
    code: CodeText


class Allowing:
    """The page of one reader."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> ASGIResponse:
        """What a parent is asked; a reader who may play is led to the shelf."""
        reader = await reader_of(self._desk.play.profiles, visit)
        if await self._desk.is_allowed(reader):
            return see_other(f"{HOME}/readers/{reader.id}", cookies=_forgotten(visit))
        is_asked = await self._asked(visit, reader) is not None
        return self._page(visit, reader, is_asked=is_asked, complaint=None, status=HTTPStatus.OK)

    async def act(self, visit: Visit) -> ASGIResponse:
        """Send the letter, or hear the answer."""
        reader = await reader_of(self._desk.play.profiles, visit)
        if await self._desk.is_allowed(reader):
            return see_other(f"{HOME}/readers/{reader.id}", cookies=_forgotten(visit))
        return await self._hear(visit, reader) if "code" in visit.form else await self._ask(visit, reader)

    async def _ask(self, visit: Visit, reader: UserProfile) -> ASGIResponse:
        desk = self._desk
        await desk.admission.to_ask_a_parent(reader.id)
        asked = await ask_for_consent(desk.guardianship, reader.id, _PLAY)
        desk.outside.outgoing.post(asked.letter)
        cookie = visit.keep(CONSENT, asked.stored.key, seconds=int(CODE_HOLDS.total_seconds()))
        return see_other(f"{HOME}/readers/{reader.id}/allow", cookies=(cookie,))

    async def _hear(self, visit: Visit, reader: UserProfile) -> ASGIResponse:
        desk = self._desk
        await desk.admission.to_consent(visit.address)
        consent = await self._asked(visit, reader)
        if consent is None:
            return self._mistaken(visit, reader, VOID_CODE, is_asked=False)
        try:
            await verify_consent(desk.guardianship, consent.id, visit.sent(_Code).code)
        except WrongCodeError as error:
            return self._mistaken(visit, reader, wrong_code(error.left), is_asked=error.left > 0)
        except CodeVoidError:
            return self._mistaken(visit, reader, VOID_CODE, is_asked=False)
        except (InvalidValueError, msgspec.ValidationError):
            return self._mistaken(visit, reader, NO_CODE, is_asked=True)
        return see_other(f"{HOME}/readers/{reader.id}", cookies=_forgotten(visit))

    async def _asked(self, visit: Visit, reader: UserProfile) -> ParentalConsent | None:
        """The consent that was asked for by this browser, if it is this reader's and this family's."""
        try:
            key = msgspec.convert(visit.cookies.get(CONSENT), RecordId)
            consent = (await read_record(self._desk.guardianship.consents, key)).value
        except (msgspec.ValidationError, NotFoundError):
            return None
        is_ours = (consent.account_id or "").lower() == account_of(visit).id.lower()
        return consent if is_ours and consent.child_profile_id == reader.id else None

    def _mistaken(self, visit: Visit, reader: UserProfile, complaint: str, *, is_asked: bool) -> ASGIResponse:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return self._page(visit, reader, is_asked=is_asked, complaint=complaint, status=status)

    def _page(
        self, visit: Visit, reader: UserProfile, *, is_asked: bool, complaint: str | None, status: int
    ) -> ASGIResponse:
        typed = visit.form.get("code", "")
        return self._desk.show(
            visit,
            "allow.html",
            status=status,
            reader=reader,
            is_asked=is_asked,
            complaint=complaint,
            code=typed,
            email=account_of(visit).email,
        )


def _forgotten(visit: Visit) -> tuple[str, ...]:
    return (visit.forget(CONSENT),) if CONSENT in visit.cookies else ()
