"""Codes of the moment, and how their secrets are kept."""

import base64
import datetime as dt
import random
from urllib.parse import parse_qs, urlsplit

import pytest

from mystira.domain.second_factors.sealing import seal, unseal
from mystira.domain.second_factors.totp import code_at, enrolment_uri, make_secret, step_of

SECRET = base64.b32encode(b"12345678901234567890").decode()
KEY = "a key that no platform has, of 32 or more characters"
ADA = "01941f29-7c00-7aaa-9aaa-aaaaaaaaaaaa"


def _at(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    """The last six digits of the test vectors of RFC 6238, appendix B (SHA-1)."""
    assert code_at(SECRET, _at(seconds)) == code
    assert step_of(SECRET, code, _at(seconds)) == seconds // 30


def test_a_code_counts_one_step_early_and_one_late() -> None:
    """For telephones whose clocks are wrong by half a minute, and no further."""
    code = code_at(SECRET, _at(1_000_000_020))
    late = {shift: step_of(SECRET, code, _at(1_000_000_020 + shift)) for shift in (-60, -30, 0, 30, 60)}
    assert [shift for shift, step in late.items() if step is not None] == [-30, 0, 30]
    assert {step for step in late.values() if step is not None} == {1_000_000_020 // 30}


def test_apps_are_told_all_that_they_need() -> None:
    """Whose it is, at whom, and the secret, which has as many bits as the hash."""
    secret = make_secret(random.Random(3))
    uri = urlsplit(enrolment_uri(secret, "ada@example.org"))
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/Mystira:ada%40example.org")
    assert parse_qs(uri.query) == {"secret": [secret], "issuer": ["Mystira"]}
    assert len(base64.b32decode(secret)) == 20


def test_a_sealed_secret_opens_for_its_owner_by_its_key() -> None:
    """Not for another account, by another key, or after any byte was changed."""
    sealed = seal(KEY, SECRET, owner=ADA, randomness=random.Random(1))
    assert unseal(KEY, sealed, owner=ADA.upper()) == SECRET
    assert SECRET not in sealed
    assert unseal(KEY + "!", sealed, owner=ADA) is None
    assert unseal(KEY, sealed, owner=ADA.replace("a", "b")) is None
    raw = bytearray(base64.urlsafe_b64decode(sealed))
    for at in range(len(raw)):
        raw[at] ^= 1
        assert unseal(KEY, base64.urlsafe_b64encode(bytes(raw)).decode(), owner=ADA) is None
        raw[at] ^= 1
    assert unseal(KEY, "no base64 at all!", owner=ADA) is None


def test_nothing_is_sealed_twice_alike() -> None:
    """A nonce of its own each time, without which the cipher would give secrets away."""
    randomness = random.Random(1)
    assert len({seal(KEY, SECRET, owner=ADA, randomness=randomness) for _ in range(20)}) == 20
