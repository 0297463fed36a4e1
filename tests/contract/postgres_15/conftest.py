"""The oldest PostgreSQL that is promised, for all that these tests take from the folders above.

It spells things otherwise than the embedded one, because nothing may depend on how a server does.
"""

from collections.abc import Iterator

import pytest

from tests.postgres_server import OLDEST, postgres_server

SPELLING = {
    "TimeZone": "Asia/Kathmandu",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "bytea_output": "escape",
    "extra_float_digits": "-3",
}


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a server of that release, started for this run."""
    with postgres_server(binaries=OLDEST, **SPELLING) as url:
        yield url
