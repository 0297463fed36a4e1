"""What is kept of a request for a code and of somebody who is signed in, and what people send for either."""

import datetime as dt
from typing import Annotated

from msgspec import Meta, Struct

from mystira.domain.accounts.model import Role
from mystira.domain.forms import EmailAddress, FilledLine, RecordId
from mystira.domain.records import Entity

CodeText = Annotated[
    str, Meta(min_length=8, max_length=32, pattern=r"^[ -]*([0-9A-TV-Za-tv-z][ -]*){8}(?![\s\S])")
]
"""A code as it was typed, in capitals or not, with or without a hyphen; there is no U in any."""


class PendingSignup(Entity, frozen=True, kw_only=True, rename="camel"):
    """A request for a code as it is stored. With `is_signin` it opens an account that is there, and makes
    none; `failed_attempts` counts each attempt before it is known how it ends.
    """

    email: str
    display_name: str = ""
    code_hash: str | None = None
    request_id: str | None = None
    expires_at: dt.datetime | None = None
    is_used: bool = False
    is_signin: bool = False
    failed_attempts: int = 0


class SignIn(Entity, frozen=True, kw_only=True, rename="camel"):
    """Somebody who is signed in, as it is stored: under the hash of the token, which is nowhere else.

    `role` is what the account's was at the time; what counts is what it is now. `second_factor_at` is when a
    second factor was shown for it, without which nobody is staff by it.
    """

    account_id: str
    role: Role = Role.GUEST
    expires_at: dt.datetime
    last_seen_at: dt.datetime
    user_agent: str | None = None
    second_factor_at: dt.datetime | None = None


class SignUpRequest(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Who would like to have an account."""

    email: EmailAddress
    display_name: FilledLine


class SignInRequest(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Who would like to sign in."""

    email: EmailAddress


class Confirmation(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The code that was mailed for a request."""

    request_id: RecordId
    code: CodeText
