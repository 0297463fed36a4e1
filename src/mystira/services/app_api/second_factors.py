"""The second factor of staff: setting one up, and showing it.

These are the only operations, with `getMe` and `signOut`, that staff may ask for before they showed it.
"""

import functools
from typing import Any

from msgspec import Struct

from mystira.domain.second_factors.model import FirstCode, ShownCode
from mystira.domain.second_factors.use_cases import (
    Strongroom,
    begin_enrolment,
    finish_enrolment,
    show_second_factor,
)
from mystira.gateways.outside import Outside
from mystira.http.admission import Admission
from mystira.http.callers import STAFF
from mystira.http.operations import Answer, Call, Operation, show
from mystira.http.problems import ProblemError
from mystira.http.queries import Nothing


class EnrolmentView(Struct, frozen=True, kw_only=True):
    """A secret for an app, as text and as the address that apps read from a picture; told this once."""

    secret: str
    uri: str


class EnrolledView(Struct, frozen=True, kw_only=True, rename="camel"):
    """Codes for the day on which the app is lost, each good for one time; told this once."""

    recovery_codes: list[str]


class ShownView(Struct, frozen=True, kw_only=True, rename="camel"):
    """From now on the sign-in is staff's. So many recovery codes are left."""

    recovery_codes_left: int


class SecondFactorRoutes:
    """What each operation on second factors does."""

    def __init__(self, room: Strongroom, admission: Admission, outside: Outside) -> None:
        self._room, self._admission, self._outside = room, admission, outside

    async def begin(self, call: Call[Nothing]) -> Answer:
        """A new secret."""
        account_id, _ = _whose(call)
        enrolment = await begin_enrolment(self._room, account_id)
        return show(EnrolmentView(secret=enrolment.secret, uri=enrolment.uri))

    async def finish(self, call: Call[FirstCode]) -> Answer:
        """The app knows the secret: from now on it counts."""
        account_id, sign_in_id = _whose(call)
        # Before anything is written: recovery codes are told once, and a letter that cannot be taken would
        # lose them.
        self._outside.outgoing.require_room()
        await self._admission.to_confirm(call.address)
        enrolled = await finish_enrolment(self._room, account_id, sign_in_id, call.sent.code)
        self._outside.outgoing.post(enrolled.letter)
        return show(EnrolledView(recovery_codes=enrolled.recovery_codes))

    async def show(self, call: Call[ShownCode]) -> Answer:
        """Show it, for this sign-in."""
        account_id, sign_in_id = _whose(call)
        await self._admission.to_confirm(call.address)
        left = await show_second_factor(self._room, account_id, sign_in_id, call.sent.code)
        return show(ShownView(recovery_codes_left=left))


def _whose(call: Call[Any]) -> tuple[str, str]:
    caller = call.caller
    if caller.account_id is None or caller.sign_in_id is None:
        raise ProblemError("not_found", "A program of the platform has no second factor.")
    return caller.account_id, caller.sign_in_id


def second_factor_operations(
    room: Strongroom, admission: Admission, outside: Outside
) -> tuple[Operation[Any], ...]:
    """What can be asked about second factors."""
    routes = SecondFactorRoutes(room, admission, outside)
    return (*_setting_up(routes), _showing(routes))


def _setting_up(routes: SecondFactorRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, method="POST", tag="signing in", allows=STAFF.by_one_factor())
    refuses = ("not_found", "second_factor_set", "contended")
    return (
        operation(
            path="/second-factor",
            name="beginSecondFactor",
            summary="Begin to set a second factor up",
            description=(
                "The secret of a code of the moment (RFC 6238), for an app. It counts for nothing until a "
                "code of it was shown; asked for again, it is another one."
            ),
            takes=Nothing,
            handle=routes.begin,
            answers={200: EnrolmentView},
            refuses=refuses,
        ),
        operation(
            path="/second-factor/confirm",
            name="confirmSecondFactor",
            summary="Have a second factor count from now on",
            description="The sign-in that shows the app's first code is staff's from then on.",
            takes=FirstCode,
            handle=routes.finish,
            answers={200: EnrolledView},
            refuses=(*refuses, "second_factor_not_set", "wrong_second_factor", "too_often"),
            example={"code": "123456"},
        ),
    )


def _showing(routes: SecondFactorRoutes) -> Operation[Any]:
    return Operation(
        method="POST",
        path="/second-factor/show",
        tag="signing in",
        name="showSecondFactor",
        summary="Show the second factor",
        description=(
            "The app's code of the moment, or a recovery code; each counts once. The sign-in by which it is "
            "shown is staff's from then on. After five that were wrong, one an hour is taken."
        ),
        takes=ShownCode,
        handle=routes.show,
        answers={200: ShownView},
        refuses=("not_found", "second_factor_not_set", "wrong_second_factor", "too_often", "contended"),
        allows=STAFF.by_one_factor(),
        example={"code": "123456"},
    )
