"""The embedded servers of the run, and the API on them."""

from tests.embedded import embedded
from tests.serving import api, moved_api, quick, redis

__all__ = ["api", "embedded", "moved_api", "quick", "redis"]
