"""A pooler before the run's PostgreSQL, with so few sessions that each statement may well get another."""

from collections.abc import Iterator

import pytest

from tests.postgres_pooler import postgres_pooler


@pytest.fixture(scope="module")
def store_url(sample_database: str) -> Iterator[str]:
    """Where stores connect; tests that look behind their back go to `sample_database`, the server itself."""
    with postgres_pooler(sample_database, sessions=3) as url:
        yield url
