"""Which record a path speaks of."""

from typing import Any

from manystore.errors import InvalidRecordError
from manystore.records import Kind
from mystira.http.operations import Call
from mystira.http.problems import ProblemError


def key_of(call: Call[Any], kind: Kind) -> str:
    """The key in the path. Raises ProblemError for one that no record of the kind can have."""
    key = call.path["key"]
    try:
        kind.check_key(key)
    except InvalidRecordError as error:
        raise not_found(kind, key) from error
    return key


def not_found(kind: Kind, key: str) -> ProblemError:
    """The refusal where there is nothing under a key."""
    return ProblemError("not_found", f"There is nothing here about a record {key!r} of {kind.name}.")
