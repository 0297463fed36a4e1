"""A place where second factors are kept, in memory, with somebody who is signed in by their mail."""

import asyncio
import datetime as dt
import random

from manystore.placement import Leases, Placement
from manystore.repository import Repository
from mystira.domain.accounts.model import Role
from mystira.domain.second_factors.kind import SECOND_FACTORS
from mystira.domain.second_factors.model import SecondFactor
from mystira.domain.second_factors.totp import code_at
from mystira.domain.second_factors.use_cases import (
    Enrolled,
    Strongroom,
    begin_enrolment,
    finish_enrolment,
    show_second_factor,
)
from tests.unit.signing_in.doorstep import ADA, KEY, Doorstep, open_doorstep


class Office:
    """The strongroom, and what somebody of staff does there."""

    def __init__(self, door: Doorstep, account_id: str) -> None:
        self.door, self.clock, self.account_id = door, door.clock, account_id
        leases = Leases(
            [Placement.settled(SECOND_FACTORS, door.documents)],
            node="test",
            clock=door.clock,
            lease=3600.0 * 24 * 365,
        )
        self.factors = Repository(SecondFactor, SECOND_FACTORS, leases, door.clock)
        self.room = Strongroom(
            factors=self.factors,
            accounts=door.accounts,
            sign_ins=door.sign_ins,
            key=KEY,
            clock=door.clock,
            randomness=random.Random(7),
        )
        self.secret = ""

    async def signs_in(self) -> str:
        """The id of a new sign-in, by mail alone."""
        return (await self.door.come_in()).opened.sign_in.key

    def code(self, *, later: int = 0) -> str:
        """What the app shows so many seconds later."""
        return code_at(self.secret, self.clock.now() + dt.timedelta(seconds=later))

    async def begins(self) -> str:
        """Have the app know a new secret."""
        self.secret = (await begin_enrolment(self.room, self.account_id)).secret
        return self.secret

    async def finishes(self, sign_in_id: str, code: str | None = None) -> Enrolled:
        """Show the app's first code."""
        return await finish_enrolment(self.room, self.account_id, sign_in_id, code or self.code())

    async def shows(self, sign_in_id: str, code: str) -> int:
        """Show a code."""
        return await show_second_factor(self.room, self.account_id, sign_in_id, code)

    async def is_staff(self, sign_in_id: str) -> bool:
        """Whether a second factor was shown for the sign-in."""
        stored = await self.door.sign_ins.get(sign_in_id)
        return stored is not None and stored.value.second_factor_at is not None

    async def waits(self, seconds: float) -> None:
        """Let time go by."""
        self.clock.advance(seconds)
        await asyncio.sleep(0)


async def open_office() -> Office:
    """A strongroom for an Admin who has no second factor yet."""
    door = await open_doorstep()
    account = await door.make_account(ADA, Role.ADMIN)
    return Office(door, account.key)


async def open_enrolled() -> tuple[Office, list[str]]:
    """The same, once the app was set up, and the recovery codes; the code of the moment is used."""
    office = await open_office()
    await office.begins()
    enrolled = await office.finishes(await office.signs_in())
    return office, enrolled.recovery_codes
