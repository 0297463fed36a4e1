"""PostgreSQL keeps every promise of a store; what its columns cannot carry it refuses by name."""

import pytest

from manystore.testing.contract import StoreContract
from tests.contract.postgres_terms import PostgresTerms

pytestmark = pytest.mark.slow


class TestPostgres(PostgresTerms, StoreContract):
    pass
