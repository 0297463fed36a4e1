"""What is kept of somebody's second factor, and what people send to set it up and to show it."""

import datetime as dt
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from mystira.domain.records import Entity

DigitsText = Annotated[str, Meta(pattern=r"^[0-9]{3} ?[0-9]{3}(?![\s\S])")]
"""A code of the moment, as apps show it."""

ShownText = Annotated[
    str,
    Meta(max_length=32, pattern=r"^([0-9]{3} ?[0-9]{3}|[ -]*([0-9A-TV-Za-tv-z][ -]*){8})(?![\s\S])"),
]
"""A code of the moment, or a recovery code, which has eight letters and digits."""


class SecondFactor(Entity, frozen=True, kw_only=True, rename="camel"):
    """The second factor of the account that has the same id.

    It counts from `confirmed_at` on. `last_step` is the newest time step (RFC 6238) a code of which was
    taken, so that none is taken twice. `failed_attempts` counts each attempt, at `tried_at`, before it is
    known how it ends.
    """

    sealed_secret: str
    confirmed_at: dt.datetime | None = None
    last_step: int = 0
    recovery_hashes: list[str] = msgspec.field(default_factory=list)
    failed_attempts: int = 0
    tried_at: dt.datetime | None = None


class FirstCode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first code of an app that was just set up."""

    code: DigitsText


class ShownCode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The app's code of the moment, or one of the recovery codes."""

    code: ShownText
