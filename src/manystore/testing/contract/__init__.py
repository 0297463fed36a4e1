"""The suite that every store passes: one class a promise, and `StoreContract` for all of them.

A product's test module provides the fixtures and says what the product is:

    pytest.register_assert_rewrite("manystore.testing.contract")

    class TestMemory(StoreContract):
        @pytest.fixture
        async def store(self) -> AsyncIterator[Store]: ...

        @pytest.fixture
        async def second(self, store: Store) -> AsyncIterator[Store]: ...

`store` is open and knows the kinds of `manystore.testing.samples`, empty, with no fences and no notes, for
each test anew. `second` is another handle on the same data, as another process would have it. A test may
close either. `behind` writes as others do who do not know the engine. See `terms` for both, and for what can
be said of a product that does not keep every promise. A store of documents, in which a former system may
have left some, passes `FormerContract` as well; `leave` puts them there.
"""

from manystore.testing.contract.content import ContentContract
from manystore.testing.contract.copy import CopyContract
from manystore.testing.contract.examining import ExaminingContract
from manystore.testing.contract.exchanging import ExchangeContract
from manystore.testing.contract.fences import FenceContract
from manystore.testing.contract.finding import FindingContract
from manystore.testing.contract.former import FormerContract
from manystore.testing.contract.log import LogContract
from manystore.testing.contract.notes import NoteContract
from manystore.testing.contract.outsiders import OutsiderContract
from manystore.testing.contract.reading import ReadingContract
from manystore.testing.contract.truth import TruthContract
from manystore.testing.contract.uniques import UniqueContract


class StoreContract(
    ReadingContract,
    TruthContract,
    ContentContract,
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
    """All promises of a store."""


__all__ = [
    "ContentContract",
    "CopyContract",
    "ExaminingContract",
    "ExchangeContract",
    "FenceContract",
    "FindingContract",
    "FormerContract",
    "LogContract",
    "NoteContract",
    "OutsiderContract",
    "ReadingContract",
    "StoreContract",
    "TruthContract",
    "UniqueContract",
]
