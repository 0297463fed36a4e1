"""Keeps secrets so that the records alone give none away (AES-256-GCM, NIST SP 800-38D).

The key is derived from that of the platform (HKDF, RFC 5869) for this purpose alone, and what is sealed for
one account cannot be opened for another.
"""

import base64
import random
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_PURPOSE: Final = b"mystira:second-factor"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


def seal(key: str, text: str, *, owner: str, randomness: random.Random) -> str:
    """The text as it is kept. `randomness` must be the operating system's, except in simulations."""
    nonce = randomness.getrandbits(_NONCE_BYTES * 8).to_bytes(_NONCE_BYTES, "big")
    sealed = _cipher(key).encrypt(nonce, text.encode(), _bound_to(owner))
    return base64.urlsafe_b64encode(nonce + sealed).decode()


def unseal(key: str, sealed: str, *, owner: str) -> str | None:
    """The text that was sealed; None where it was sealed by another key, for another owner, or altered."""
    try:
        kept = base64.urlsafe_b64decode(sealed)
        return _cipher(key).decrypt(kept[:_NONCE_BYTES], kept[_NONCE_BYTES:], _bound_to(owner)).decode()
    except (InvalidTag, ValueError):
        return None


def _cipher(key: str) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE).derive(key.encode()))


def _bound_to(owner: str) -> bytes:
    # Old data may spell an id in capitals.
    return owner.lower().encode()
