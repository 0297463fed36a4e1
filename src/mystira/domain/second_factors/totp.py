"""Codes of the moment (TOTP, RFC 6238): six digits of a secret and of the half minute that it is."""

import base64
import datetime as dt
import hmac
import random
from typing import Final

import pyotp

ISSUER: Final = "Mystira"
STEP_SECONDS: Final = 30
DRIFT_STEPS: Final = 1
"""By how many steps the clock of a telephone may be wrong, either way (RFC 6238, section 5.2)."""
_SECRET_BYTES: Final = 20
"""As many as the hash has (RFC 4226, section 4, R6)."""


def make_secret(randomness: random.Random) -> str:
    """A new secret, in base32 as apps take it. `randomness` must be that of the operating system."""
    secret = randomness.getrandbits(_SECRET_BYTES * 8).to_bytes(_SECRET_BYTES, "big")
    return base64.b32encode(secret).decode()


def enrolment_uri(secret: str, email: str) -> str:
    """What an app reads, from a picture or pasted, to know the secret and to show whose it is."""
    return pyotp.TOTP(secret, interval=STEP_SECONDS).provisioning_uri(name=email, issuer_name=ISSUER)


def code_at(secret: str, now: dt.datetime) -> str:
    """The code of a moment."""
    return pyotp.TOTP(secret, interval=STEP_SECONDS).generate_otp(step_at(now))


def step_at(now: dt.datetime) -> int:
    """How many steps there were since 1970."""
    return int(now.timestamp()) // STEP_SECONDS


def step_of(secret: str, code: str, now: dt.datetime) -> int | None:
    """The step whose code this is, of those that count now; takes as long whatever the answer is."""
    totp, found, present = pyotp.TOTP(secret, interval=STEP_SECONDS), None, step_at(now)
    for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            found = step
    return found
