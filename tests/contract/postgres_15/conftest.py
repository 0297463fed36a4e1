"""The oldest PostgreSQL that is promised, for all that these tests take from the folders above."""

from collections.abc import Iterator

import pytest

from tests.postgres_server import OLDEST, postgres_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a server of that release, started for this run."""
    with postgres_server(binaries=OLDEST) as url:
        yield url
