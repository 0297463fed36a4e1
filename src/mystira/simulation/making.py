"""What all made-up documents are made with: choices, ids and moments from one `Random`, and awkwardness.

The same seed makes the same documents, in every process.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final, TypeVar

Document = dict[str, Any]
T = TypeVar("T")

Oddities = tuple[tuple[float, Callable[[Random, Document], None]], ...]
"""Which share of documents is awkward in which way; one may be so in several."""

OPENED: Final = dt.datetime(2023, 2, 1)
"""When the first of them were made."""
OPEN_DAYS: Final = 1150
DAY: Final = 86_400_000_000
"""Microseconds."""


def pick(random: Random, choices: Sequence[T]) -> T:
    """One of the choices."""
    # A third of the price of random.choice, and millions are made.
    return choices[int(random.random() * len(choices))]


def make_uuid(random: Random) -> str:
    """A UUID of version 4, as the former system made them."""
    bits = random.getrandbits(128)
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[bits & 3]}{text[17:20]}-{text[20:]}"


def spell(micros: int) -> str:
    """A moment so many microseconds after the opening."""
    return (OPENED + dt.timedelta(microseconds=micros)).isoformat() + "Z"


def make_odd(random: Random, document: Document, oddities: Oddities) -> Document:
    """The document, made awkward by chance."""
    for share, alter in oddities:
        if random.random() < share:
            alter(random, document)
    return document


def seven_digits(random: Random, record: Document) -> None:
    """Ticks of 100 ns, which PostgreSQL has no room for; some would round into the next second."""
    fraction = "9999999" if random.random() < 0.1 else f"{int(random.random() * 10_000_000):07d}"
    for name in ("createdAt", "lastLoginAt"):
        if name in record:
            record[name] = f"{record[name][:19]}.{fraction}Z"


def offset(random: Random, record: Document) -> None:
    """A time by the wall clock of a place."""
    record["createdAt"] = record["createdAt"][:-1] + pick(random, ("+02:00", "-05:00", "+05:45", "+00:00"))


def unknown_fields(random: Random, record: Document) -> None:
    """What nobody remembers the meaning of, in the spellings of numbers that are easily lost."""
    record["loyalty"] = {"points": int(random.random() * 500), "ratio": 1.0, "balance": -0.0, "partner": None}
    record["legacyNumber"] = 9_007_199_254_740_993
    record["flags"] = ["beta", None, {"since": "2023"}]
