"""What is to be reached: every line of the requirement's table, measured or with the reason why not yet.

A bar stands here once, and the claims of the benchmarks point to it.
"""

from typing import Final, Literal

import msgspec

Unit = Literal["×", "s", "/s", "MB", ""]
"""Of a figure: a ratio, seconds, so many a second, megabytes, a bare number."""


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A limit of a ratio to `against` (unit ×), or of our own figure where nobody is there to compare."""

    name: str
    what: str
    against: str
    at_most: float | None = None
    at_least: float | None = None
    unit: Unit = "×"
    not_built: str = ""
    """Why nothing can be measured yet; empty where a benchmark measures it."""

    @property
    def limit(self) -> float:
        """The figure at which it is just held."""
        limit = self.at_most if self.at_most is not None else self.at_least
        if limit is None:
            raise ValueError(f"The bar {self.name} has no limit: give at_most or at_least")
        return limit

    def is_held_by(self, value: float) -> bool:
        """Whether a ratio or figure reaches it."""
        return value <= self.limit if self.at_most is not None else value >= self.limit


READ: Final = Bar(
    name="read",
    what="read one record through the repository, in each phase, without a cache",
    against="the driver alone, same query",
    at_most=1.3,
)
WRITE: Final = Bar(
    name="write",
    what="write one record in a phase of one store, its change captured",
    against="one plain upsert by the driver",
    at_most=1.8,
)
WRITE_DEFERRED: Final = Bar(
    name="write-deferred",
    what="write in a middle phase, the copy follows",
    against="the write in a phase of one store",
    at_most=1.15,
)
WRITE_INLINE: Final = Bar(
    name="write-inline",
    what="write in a middle phase, the copy written at once",
    against="the sum of one write to each store",
    at_most=1.15,
)
COPY: Final = Bar(
    name="copy",
    what="copy documents to PostgreSQL's three tables, one process",
    against=r"`psql \copy` of the same rows",
    at_least=0.35,
)
COPY_TWO: Final = Bar(
    name="copy-two",
    what="the same by two processes that share the move",
    against=r"`psql \copy` of the same rows",
    at_least=0.5,
)
COPY_ROWS: Final = Bar(
    name="copy-rows",
    what="copy documents to PostgreSQL's three tables, one process",
    against="row by row: look up, insert, commit",
    at_least=30,
)
COPY_RATE: Final = Bar(
    name="copy-rate",
    what="records copied a second, one process, three tables",
    against="a limit",
    at_least=20_000,
    unit="/s",
)
VERIFY: Final = Bar(
    name="verify",
    what="verify in full, both sides read",
    against="streaming both sides without comparing",
    at_most=1.5,
)
VERIFY_PEER: Final = Bar(
    name="verify-peer",
    what="verify PostgreSQL against PostgreSQL, with differences and without",
    against="`reladiff` on the same tables",
    at_least=2,
)
VERIFY_VERSIONS: Final = Bar(
    name="verify-versions", what="verify the versions alone", against="`count(*)` on both sides", at_most=3
)
SYNC_LAG: Final = Bar(
    name="sync-lag",
    what="from a write to its copy, 1 000 writes a second, p99",
    against="a limit",
    at_most=0.250,
    unit="s",
)
WRITE_PAUSE: Final = Bar(
    name="write-pause",
    what="pause of writes at cut-over and cut-back, 500 writes a second, p99 over the changes of truth",
    against="a limit",
    at_most=0.100,
    unit="s",
)
READ_PAUSE: Final = Bar(
    name="read-pause",
    what="longest read around a cut-over or cut-back",
    against="the longest read in as long a time without one",
    at_most=1.5,
)
EVENTS_RATE: Final = Bar(
    name="events-rate",
    what="events from outbox to subscriber",
    against="the broker alone",
    at_least=0.5,
    not_built="there is no event bus yet, and no service that subscribes to one",
)
EVENTS_LAG: Final = Bar(
    name="events-lag",
    what="from outbox to subscriber, 1 000 events a second, p99",
    against="a limit",
    at_most=0.100,
    unit="s",
    not_built="there is no event bus yet, and no service that subscribes to one",
)
CACHED_READ: Final = Bar(
    name="cached-read",
    what="cached read, memory level",
    against="a dictionary read plus the await",
    at_most=3,
    not_built="there is no cache yet, and every read goes to its store",
)
APP_API: Final = Bar(
    name="app-api",
    what="requests a second for one record by its key, App API",
    against="the same framework and driver, bare",
    at_least=0.8,
)
CHOOSE: Final = Bar(
    name="choose",
    what="answer to a choice, 100 choices a second on two cores, p99",
    against="a limit",
    at_most=0.050,
    unit="s",
)
START: Final = Bar(name="start", what="start-up once installed", against="a limit", at_most=5.0, unit="s")
MEMORY: Final = Bar(
    name="memory",
    what="most memory of a process that copies or verifies, up to the largest size measured",
    against="a limit",
    at_most=300,
    unit="MB",
)
GROWTH: Final = Bar(
    name="growth",
    what="exponent by which time grows with the number of records",
    against="1, linear growth",
    at_most=1.05,
    unit="",
)

BARS: Final = (
    READ,
    WRITE,
    WRITE_DEFERRED,
    WRITE_INLINE,
    COPY,
    COPY_TWO,
    COPY_ROWS,
    COPY_RATE,
    VERIFY,
    VERIFY_PEER,
    VERIFY_VERSIONS,
    SYNC_LAG,
    WRITE_PAUSE,
    READ_PAUSE,
    EVENTS_RATE,
    EVENTS_LAG,
    CACHED_READ,
    APP_API,
    CHOOSE,
    START,
    MEMORY,
    GROWTH,
)
