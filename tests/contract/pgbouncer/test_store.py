"""Behind a pooler the store keeps its promises."""

from manystore.testing.contract import (
    CopyContract,
    ExaminingContract,
    ExchangeContract,
    FenceContract,
    LogContract,
    NoteContract,
    OutsiderContract,
    ReadingContract,
    TruthContract,
    UniqueContract,
)
from tests.contract.postgres_terms import PostgresTerms


class TestBehindAPooler(
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
    ExaminingContract,
):
    pass
