"""Finds out who calls: an account by the token of a sign-in, or a program of the platform by one it signed.

The two cannot be taken for each other: only signed tokens have dots in them.
"""

import re
from typing import Final

from manystore.clock import Clock
from mystira.clients.service_tokens import OPERATOR as OPERATOR_NAME
from mystira.clients.service_tokens import read_issuer
from mystira.domain.accounts.use_cases import Accounts
from mystira.domain.signing_in.sign_ins import SignIns, Terms, recognise
from mystira.http.callers import NOBODY, OPERATOR, Caller

_SHOWN: Final = re.compile(r"(?i:bearer) +(?P<token>[A-Za-z0-9._~+/=-]{1,4096}) *")


class Authenticator:
    """Says who shows a token (`mystira.http.callers.Authenticate`)."""

    def __init__(
        self, sign_ins: SignIns, accounts: Accounts, *, key: str, clock: Clock, terms: Terms
    ) -> None:
        self._sign_ins, self._accounts = sign_ins, accounts
        self._key, self._clock, self._terms = key, clock, terms

    async def __call__(self, shown: str | None, *, audience: str) -> Caller:
        """Who shows an Authorization header of this value. Raises UnavailableError."""
        match = None if shown is None else _SHOWN.fullmatch(shown)
        return NOBODY if match is None else await self.bearer_of(match["token"], audience=audience)

    async def bearer_of(self, token: str, *, audience: str) -> Caller:
        """Who has this token. Raises UnavailableError."""
        if "." in token:
            return self._service(token, audience)
        found = await recognise(self._sign_ins, self._accounts, token, clock=self._clock, terms=self._terms)
        if found is None:
            return NOBODY
        return Caller(
            role=found.account.role,
            account_id=found.account.id,
            sign_in_id=found.sign_in.id,
            second_factor=found.sign_in.second_factor_at is not None,
        )

    def _service(self, token: str, audience: str) -> Caller:
        issuer = read_issuer(self._key, token, audience=audience, now=self._clock.now())
        if issuer is None:
            return NOBODY
        return OPERATOR if issuer == OPERATOR_NAME else Caller(service=issuer)
