"""The embedded servers and the API on them, one of each for the whole run."""

from tests.embedded import embedded
from tests.serving import api, moved_api, quick, redis

__all__ = ["api", "embedded", "moved_api", "quick", "redis"]
