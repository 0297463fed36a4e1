"""Where stores of PostgreSQL connect, unless a folder below says otherwise."""

import pytest


@pytest.fixture(scope="module")
def store_url(sample_database: str) -> str:
    """Where stores connect; tests that look behind their back go to `sample_database`, the server itself."""
    return sample_database
