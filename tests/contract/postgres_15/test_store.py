"""PostgreSQL 15 keeps the promises of a store."""

import pytest

from manystore.testing.contract import (
    CopyContract,
    ExaminingContract,
    ExchangeContract,
    FenceContract,
    FindingContract,
    LogContract,
    NoteContract,
    OutsiderContract,
    ReadingContract,
    TruthContract,
    UniqueContract,
)
from tests.contract.postgres_terms import PostgresTerms

pytestmark = pytest.mark.slow


class TestPostgres15(
    PostgresTerms,
    ReadingContract,
    TruthContract,
    UniqueContract,
    CopyContract,
    ExchangeContract,
    LogContract,
    FenceContract,
    OutsiderContract,
    NoteContract,
    FindingContract,
    ExaminingContract,
):
    pass
