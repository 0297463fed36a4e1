"""How ids are made, in one place, so that use cases can be handed another maker."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Container
from typing import Final

import uuid_utils

_LONGEST_SLUG: Final = 80
_LIKENESSES: Final = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d"})

MakeId = Callable[[], str]
"""Gives a new id, never the same twice, as the text of a UUID in lower case."""


def make_id() -> str:
    """A UUID of version 7 (RFC 9562): those made later sort later, so indexes grow at one end."""
    return str(uuid_utils.uuid7())


def slug_of(title: str, *, between: str = "-") -> str:
    """The title in small letters and digits of ASCII, with `between` for all else; empty if it has neither.

    Where letters have no likeness in ASCII, or the slug would be too long, a digest at its end stands for the
    whole title, so that two titles have two slugs.
    """
    spread = unicodedata.normalize("NFKD", title.lower().translate(_LIKENESSES))
    plain = spread.encode("ascii", "ignore").decode("ascii")
    slug = between.join(re.findall(r"[a-z0-9]+", plain.replace("'", "")))
    is_whole = not any(letter.isalnum() and not letter.isascii() for letter in spread)
    if is_whole and len(slug) <= _LONGEST_SLUG:
        return slug
    mark = hashlib.blake2b(title.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    kept = slug[:_LONGEST_SLUG].strip(between)
    return f"{kept}{between}{mark}" if kept else mark


def free_slug(wanted: str, taken: Container[str], *, between: str = "-") -> str:
    """The slug, or the first of `slug-2`, `slug-3` … that is not taken."""
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}{between}{number}"
    return name
