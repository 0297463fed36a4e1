"""The codes that are mailed, and how they are kept.

A code is 40 random bits in eight characters of Crockford's base32: digits and capitals without I, L, O and U,
so that no two look alike. Whoever types it may use small letters, and O for 0 or I for 1; hyphens and spaces
do not count. It is kept as a keyed hash together with the request that it belongs to: who reads the records
but has no key cannot try all codes, and a code opens no other request.
"""

import hashlib
import hmac
import random
from typing import Final

from mystira.domain.errors import InvalidValueError

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 8
_BITS: Final = 5
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_PURPOSE: Final = "mystira:code"


def make_code(randomness: random.Random) -> str:
    """A new code. `randomness` must be that of the operating system, except in simulations."""
    return "".join(ALPHABET[randomness.getrandbits(_BITS)] for _ in range(LENGTH))


def spell_code(code: str) -> str:
    """The code as people are shown it, in two halves."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def read_code(typed: str) -> str:
    """The code that somebody meant. Raises InvalidValueError for what can be none."""
    code = typed.upper().translate(_READ_AS)
    if len(code) != LENGTH or not set(code) <= set(ALPHABET):
        reason = f"a code has {LENGTH} letters and digits, and none of its letters is a U"
        raise InvalidValueError(field="code", reason=reason)
    return code


def hash_code(key: str, *, request_id: str, code: str) -> str:
    """What is kept of a request's code."""
    return keyed_hash(key, _PURPOSE, request_id, code)


def is_code(key: str, code_hash: str | None, *, request_id: str, code: str) -> bool:
    """Whether the hash is that of the request's code; takes as long whatever the answer is."""
    return hmac.compare_digest(code_hash or "", hash_code(key, request_id=request_id, code=code))


def keyed_hash(key: str, purpose: str, *parts: str) -> str:
    """A hash that only holders of the key can compute, different for each purpose."""
    text = "\0".join((purpose, *parts))
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
