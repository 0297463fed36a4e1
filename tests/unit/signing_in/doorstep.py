"""A place where people are let in, in memory: with a clock that stands still, ids that count and codes that a
seed decides, so that what happened can be told exactly.
"""

import itertools
import random

from manystore.placement import Leases, Placement
from manystore.repository import Repository, Stored
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.accounts.model import Account, NewAccount, Role
from mystira.domain.accounts.use_cases import create_account
from mystira.domain.letters import Letter
from mystira.domain.signing_in.codes import ALPHABET, LENGTH
from mystira.domain.signing_in.kind import PENDING_SIGNUPS, SIGN_INS
from mystira.domain.signing_in.model import Confirmation, PendingSignup, SignIn, SignInRequest, SignUpRequest
from mystira.domain.signing_in.sign_ins import Recognised, recognise
from mystira.domain.signing_in.use_cases import (
    Reception,
    Requested,
    SignedIn,
    ask_to_sign_in,
    ask_to_sign_up,
    confirm_code,
)
from tests.unit.clocks import ManualClock
from tests.unit.household import InterruptibleStore

KEY = "a key that no platform has, of 32 or more characters"
ADA = "ada@example.org"


class Doorstep:
    """The reception, and what came of asking there."""

    def __init__(self, seed: int = 1) -> None:
        self.clock = ManualClock()
        self.documents, self.tables = InterruptibleStore("documents"), InterruptibleStore("tables")
        moving = [
            Placement(kind=kind, source=self.documents, target=self.tables)
            for kind in (ACCOUNTS, PENDING_SIGNUPS)
        ]
        settled = Placement.settled(SIGN_INS, self.tables)
        leases = Leases([*moving, settled], node="test", clock=self.clock, lease=3600.0 * 24 * 365)
        self.accounts = Repository(Account, ACCOUNTS, leases, self.clock)
        self.pending = Repository(PendingSignup, PENDING_SIGNUPS, leases, self.clock)
        self.sign_ins = Repository(SignIn, SIGN_INS, leases, self.clock)
        self.reception = Reception(
            accounts=self.accounts,
            pending=self.pending,
            sign_ins=self.sign_ins,
            key=KEY,
            clock=self.clock,
            randomness=random.Random(seed),
            maker=map("00000000-0000-7000-8000-{:012x}".format, itertools.count(1)).__next__,
        )

    async def make_account(self, email: str = ADA, role: Role = Role.USER) -> Stored[Account]:
        """An account that is there already."""
        new = NewAccount(email=email, display_name="Ada")
        return await create_account(
            self.accounts, new, clock=self.clock, maker=self.reception.maker, role=role
        )

    async def ask(self, email: str = ADA) -> Requested:
        """Ask to be let in."""
        return await ask_to_sign_in(self.reception, SignInRequest(email=email))

    async def sign_up(self, email: str = ADA, name: str = "Ada") -> Requested:
        """Ask for an account."""
        return await ask_to_sign_up(self.reception, SignUpRequest(email=email, display_name=name))

    async def confirm(self, requested: Requested, code: str | None = None) -> SignedIn:
        """Show a code: the one that was mailed, unless it is another."""
        shown = code_in(requested.letter) if code is None else code
        sent = Confirmation(request_id=requested.request.key, code=shown)
        return await confirm_code(self.reception, sent)

    async def come_in(self, email: str = ADA) -> SignedIn:
        """Ask and confirm."""
        return await self.confirm(await self.ask(email))

    async def whose(self, token: str) -> Recognised | None:
        """Whom a token belongs to."""
        return await recognise(
            self.sign_ins, self.accounts, token, clock=self.clock, terms=self.reception.terms
        )


async def open_doorstep(seed: int = 1) -> Doorstep:
    """A reception with its stores open."""
    doorstep = Doorstep(seed)
    await doorstep.documents.open()
    await doorstep.tables.open()
    return doorstep


def code_in(letter: Letter | None) -> str:
    """The code that a letter shows, as it is spelled there."""
    assert letter is not None
    [code] = (line.strip() for line in letter.text.splitlines() if line.startswith("    "))
    assert len(code) == LENGTH + 1
    return code


def other_than(code: str) -> str:
    """A code that is another."""
    plain = code.replace("-", "")
    return ALPHABET[(ALPHABET.index(plain[0]) + 1) % len(ALPHABET)] + plain[1:]
