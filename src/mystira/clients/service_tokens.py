"""How one program of the platform shows another who it is: a signed token that holds for a minute.

It names its issuer, the service that it is meant for (its audience) and when it ends, and is signed with the
key that all programs of one platform share (HMAC-SHA256, RFC 7515). So a token that somebody overheard opens
one service for a moment, and none of another platform.
"""

import datetime as dt
from typing import Any, Final, Protocol

import jwt

from manystore.clock import Clock, SystemClock

OPERATOR: Final = "operator"
"""The issuer that stands for whoever runs the platform: the commands, and what they set going."""

AUDIENCES: Final = {
    "/api/v1": "appApi",
    "/admin/api": "adminApi",
    "/internal/scenarios": "appInternal",
}
"""Which service answers below which path."""

LIFETIME: Final = dt.timedelta(seconds=60)
LEEWAY: Final = dt.timedelta(seconds=10)
"""By how much the clocks of two machines may differ."""
SHORTEST_KEY: Final = 32
"""Characters of the key; RFC 7518 asks for as many bytes as the hash has."""
_ALGORITHM: Final = "HS256"


def sign_token(key: str, *, issuer: str, audience: str, now: dt.datetime) -> str:
    """A token by which `issuer` may ask `audience` for LIFETIME from `now` on."""
    claims = {"iss": issuer, "aud": audience, "iat": now, "exp": now + LIFETIME}
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def read_issuer(key: str, token: str, *, audience: str, now: dt.datetime) -> str | None:
    """Who issued the token; None unless it is signed with the key, meant for us, and holds now."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=audience,
            # Times are compared below, with the clock that was handed in.
            options={"require": ["iss", "aud", "iat", "exp"], "verify_exp": False, "verify_iat": False},
        )
        begins, ends = float(claims["iat"]), float(claims["exp"])
    except (jwt.InvalidTokenError, TypeError, ValueError):
        return None
    at, leeway = now.timestamp(), LEEWAY.total_seconds()
    # A token of ours never holds longer; one that claims to was made by a program that should not.
    if not begins - leeway <= at < ends + leeway or ends - begins > LIFETIME.total_seconds():
        return None
    issuer = claims["iss"]
    return issuer if isinstance(issuer, str) and issuer else None


class Credentials(Protocol):
    """How a caller shows who it is."""

    def header(self, path: str) -> str | None:
        """The value of the header Authorization for a request of that path; None: to go without."""


class BearerToken:
    """A token that somebody was given, such as by signing in."""

    def __init__(self, token: str) -> None:
        self._value = f"Bearer {token}"

    def header(self, path: str) -> str | None:
        """See Credentials.header."""
        return self._value


class ServiceCredentials:
    """Tokens that a program signs for itself, one a service, each used for half of its time."""

    def __init__(self, key: str, *, issuer: str = OPERATOR, clock: Clock | None = None) -> None:
        self._key, self._issuer, self._clock = key, issuer, clock or SystemClock()
        self._signed: dict[str, tuple[dt.datetime, str]] = {}

    def header(self, path: str) -> str | None:
        """See Credentials.header; None where the path is below none of AUDIENCES."""
        audience = next((each for root, each in AUDIENCES.items() if path.startswith(root + "/")), None)
        if audience is None:
            return None
        now = self._clock.now()
        until, value = self._signed.get(audience, (now, ""))
        if until <= now:
            value = f"Bearer {sign_token(self._key, issuer=self._issuer, audience=audience, now=now)}"
            self._signed[audience] = (now + LIFETIME / 2, value)
        return value
