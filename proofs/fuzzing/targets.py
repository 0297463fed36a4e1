"""What is fuzzed: where values come from, and what must hold of each."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec
from hypothesis import strategies as st

from manystore.errors import DeclarationError

Check = Callable[[Any], None]
"""Raises, AssertionError or otherwise, where something does not hold of the value."""
Fault = Callable[[], AbstractContextManager[Any]]
"""Breaks the engine on purpose for the length of a block."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Something that takes values from outside.

    `opened` gives the check, and keeps what it needs (servers) as long as the block lasts; what the check
    itself opens it opens at the first value, in whichever process that is. `read` turns bytes into a value
    where bytes are what comes from outside; else they are drawn from like dice. `seeds` are inputs to begin
    with, and `words` what their language is made of; both for `read` alone. `faults` are planted, by what is
    then wrong: each must be found. A value takes about `weight` times as long as the quickest target's.
    """

    name: str
    claim: str
    values: Callable[[], st.SearchStrategy[Any]]
    opened: Callable[[], AbstractContextManager[Check]]
    read: Callable[[bytes], Any] | None = None
    seeds: tuple[bytes, ...] = ()
    words: tuple[bytes, ...] = ()
    faults: dict[str, Fault]
    weight: int = 1

    def __post_init__(self) -> None:
        if not self.faults:
            raise DeclarationError(subject=f"target {self.name}", reason="no fault shows that it finds any")


def always(check: Check) -> Callable[[], AbstractContextManager[Check]]:
    """For a check that needs nothing kept for it."""
    return lambda: nullcontext(check)
