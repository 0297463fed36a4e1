"""The server and an empty database, as fixtures; import them where they are used."""

import uuid
from collections.abc import Iterator

import pytest

from tests.cosmos_server.process import CosmosServer, cosmos_server


@pytest.fixture(scope="module")
def server() -> Iterator[CosmosServer]:
    """A server of the module's own: its clock and its planted faults are nobody else's."""
    with cosmos_server() as running:
        yield running


@pytest.fixture
def database() -> str:
    """The name of a database that nobody has used."""
    return f"test-{uuid.uuid4().hex}"
