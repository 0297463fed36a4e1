"""What a Cosmos DB account says of itself, and what is made of it."""

import socket

import pytest

from manystore.errors import UnavailableError
from manystore.stores.cosmos.inspection import SUFFICIENT, inspect
from mystira.cli.server_checks import check_documents
from mystira.settings import Settings
from tests.cosmos_server.fixtures import server
from tests.cosmos_server.process import KEY, CosmosServer

__all__ = ["server"]


def _configure(server: CosmosServer, level: str, *, anywhere: bool = False) -> None:
    server.configure(
        userConsistencyPolicy={"defaultConsistencyLevel": level}, enableMultipleWriteLocations=anywhere
    )


@pytest.mark.parametrize(
    ("level", "state"),
    [
        ("Strong", "ok"),
        ("BoundedStaleness", "ok"),
        ("Session", "warn"),
        ("ConsistentPrefix", "warn"),
        ("Eventual", "warn"),
    ],
)
async def test_a_doctor_warns_of_a_level_that_is_too_weak(
    server: CosmosServer, level: str, state: str
) -> None:
    """Each of the five levels is told by its name, and only two of them will do for a move."""
    _configure(server, level)
    found = await inspect(server.url, KEY)
    assert (found.consistency, found.consistency in SUFFICIENT) == (level, state == "ok")
    (check,) = await check_documents(Settings(cosmos_url=server.url, cosmos_key=KEY))
    assert (check.name, check.state) == ("document store", state)
    assert level in check.found
    assert bool(check.remedy) is (state == "warn")


async def test_a_doctor_warns_of_writes_in_every_region(server: CosmosServer) -> None:
    """Two regions would each accept the same version, and the service would drop one of the two writes."""
    _configure(server, "BoundedStaleness", anywhere=True)
    (check,) = await check_documents(Settings(cosmos_url=server.url, cosmos_key=KEY))
    assert check.state == "warn"
    assert "one region" in check.remedy


async def test_an_account_that_does_not_answer_fails_the_check() -> None:
    """With the reason, in one line, and without waiting for long."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UnavailableError):
            await inspect(url, KEY)
        (check,) = await check_documents(Settings(cosmos_url=url, cosmos_key=KEY))
    assert check.state == "fail"
    assert "MYSTIRA_COSMOS_URL" in check.remedy
