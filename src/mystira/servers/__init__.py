"""The embedded servers: what a platform needs when nothing was given to it by URL.

`embedded_servers` is the whole story for a test or a script; `mystira.supervisor` keeps them up for long.
"""

from mystira.servers.embedded import EmbeddedServers, embedded_servers
from mystira.servers.folder import DataFolder

__all__ = ["DataFolder", "EmbeddedServers", "embedded_servers"]
