"""PostgreSQL keeps every promise of a store; what its columns cannot carry it refuses by name."""

from manystore.testing.contract import StoreContract
from tests.contract.postgres_terms import PostgresTerms


class TestPostgres(PostgresTerms, StoreContract):
    pass
