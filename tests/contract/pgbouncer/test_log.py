"""Behind a pooler, no change is lost to transactions that commit out of order."""

from tests.contract.test_postgres_log import *  # noqa: F403 - its tests and fixtures
