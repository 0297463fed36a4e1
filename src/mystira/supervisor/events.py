"""What a supervisor tells while it works, as facts; how they look is the matter of whoever shows them."""

import msgspec


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Encodes with the name of its class, for the log."""


class ProcessStarted(_Event, frozen=True, kw_only=True):
    """A server or service takes work. `address` has no password in it; None where there is none.

    `restarts` is how often it has ended by itself since the platform started.
    """

    name: str
    pid: int
    address: str | None
    seconds: float
    restarts: int = 0


class ProcessEnded(_Event, frozen=True, kw_only=True):
    """A server or service ended by itself (`how`), and is started again in `restart_in` seconds."""

    name: str
    pid: int
    how: str
    restarts: int
    restart_in: float


class RestartFailed(_Event, frozen=True, kw_only=True):
    """A server or service did not come up again (`reason`); the next attempt is in `restart_in` seconds."""

    name: str
    reason: str
    restart_in: float


class SchemaUpgraded(_Event, frozen=True, kw_only=True):
    """The schema of PostgreSQL is that of this version of the code."""

    seconds: float


class PlatformReady(_Event, frozen=True, kw_only=True):
    """Everything is up, `seconds` after the start. `address` is the common root of the APIs."""

    address: str
    data_folder: str
    seconds: float


class PlatformStopping(_Event, frozen=True, kw_only=True):
    """The platform was asked to stop, by this signal."""

    signal: str


class PlatformStopped(_Event, frozen=True, kw_only=True):
    """Nothing of the platform runs any more, `seconds` after it was asked to stop."""

    seconds: float


Event = (
    ProcessStarted
    | ProcessEnded
    | RestartFailed
    | SchemaUpgraded
    | PlatformReady
    | PlatformStopping
    | PlatformStopped
)
