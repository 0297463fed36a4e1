"""PostgreSQL 15 captures what is done to the tables behind the engine's back."""

from tests.contract.test_postgres_capture import *  # noqa: F403 - its tests and fixtures
