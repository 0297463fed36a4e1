"""PostgreSQL 15 refuses by the same codes, and names the same constraints and columns."""

from tests.contract.test_postgres_failures import *  # noqa: F403 - its tests and fixtures

# It starts a server of its own, of the newest release.
del test_server_that_goes_and_comes_back  # noqa: F821 - one of them
