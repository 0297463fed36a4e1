"""Keeping a platform up, and finding one that is up.

`supervise` is what `mystira up` does. A service says `announce_ready` when it takes work, and takes its
callers from `inherited_socket`. Other commands find what runs by `read_roster` and `reach`.
"""

from mystira.supervisor.events import (
    Event,
    PlatformReady,
    PlatformStopped,
    PlatformStopping,
    ProcessEnded,
    ProcessStarted,
    RestartFailed,
    SchemaUpgraded,
)
from mystira.supervisor.handover import announce_ready, inherited_socket
from mystira.supervisor.roster import Roster, RunningProcess, reach, read_roster
from mystira.supervisor.service import Service
from mystira.supervisor.supervision import supervise

__all__ = [
    "Event",
    "PlatformReady",
    "PlatformStopped",
    "PlatformStopping",
    "ProcessEnded",
    "ProcessStarted",
    "RestartFailed",
    "Roster",
    "RunningProcess",
    "SchemaUpgraded",
    "Service",
    "announce_ready",
    "inherited_socket",
    "reach",
    "read_roster",
    "supervise",
]
