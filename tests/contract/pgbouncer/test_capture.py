"""Behind a pooler, what is done to the tables behind the engine's back is told from what the engine does."""

from tests.contract.test_postgres_capture import *  # noqa: F403 - its tests and fixtures
