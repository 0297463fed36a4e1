"""How ids are made, in one place, so that use cases can be handed another maker."""

import re
import unicodedata
from collections.abc import Callable, Container
from typing import Final

import uuid_utils

_LONGEST_SLUG: Final = 80

MakeId = Callable[[], str]
"""Gives a new id, never the same twice, as the text of a UUID in lower case."""


def make_id() -> str:
    """A UUID of version 7 (RFC 9562): those made later sort later, so indexes grow at one end."""
    return str(uuid_utils.uuid7())


def slug_of(title: str, *, between: str = "-") -> str:
    """The title in small letters and digits of ASCII, with `between` for all else; empty if there is none."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode("ascii").lower()
    words = re.findall(r"[a-z0-9]+", plain.replace("'", ""))
    slug = between.join(words)
    return slug if len(slug) <= _LONGEST_SLUG else slug[:_LONGEST_SLUG].rsplit(between, 1)[0]


def free_slug(wanted: str, taken: Container[str], *, between: str = "-") -> str:
    """The slug, or the first of `slug-2`, `slug-3` … that is not taken."""
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}{between}{number}"
    return name
