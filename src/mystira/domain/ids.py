"""How ids are made, in one place, so that use cases can be handed another maker."""

from collections.abc import Callable

import uuid_utils

MakeId = Callable[[], str]
"""Gives a new id, never the same twice, as the text of a UUID in lower case."""


def make_id() -> str:
    """A UUID of version 7 (RFC 9562): those made later sort later, so indexes grow at one end."""
    return str(uuid_utils.uuid7())
