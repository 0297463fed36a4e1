"""The witness's look into the stores, with each fault planted in real (in-memory) stores."""

from collections.abc import Awaitable, Callable

import pytest

from manystore.records import Content, Record
from manystore.stores.memory import MemoryStore
from manystore.stores.store import Fence
from mystira.demonstration.comparison import Pair, compare_copy, compare_truth
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.simulation.ledger import Entry
from mystira.simulation.views import shown
from mystira.simulation.witness import Evidence

ADA, BEN, CAT = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(1, 4))


def content(key: str, **changes: object) -> Content:
    return {"id": key, "email": f"{key}@example.org", "createdAt": "2024-01-01T00:00:00.1234567Z", **changes}


def told(key: str, version: int | None, document: Content | None) -> Entry:
    document = None if document is None else shown("accounts", document)
    return Entry(event="acknowledged", kind="accounts", key=key, version=version, document=document)


def evidence() -> Evidence:
    """Ada was changed once, Ben stayed as he was made, Cat was deleted."""
    return Evidence(
        [
            told(ADA, 1, content(ADA)),
            told(ADA, 2, content(ADA, displayName="Ada")),
            told(BEN, 1, content(BEN)),
            told(CAT, 1, content(CAT)),
            told(CAT, None, None),
        ]
    )


async def pair() -> Pair:
    """A truth and a copy that both hold what the evidence says."""
    truth, copy = MemoryStore("documents"), MemoryStore("tables")
    for store in (truth, copy):
        await store.open()
    await truth.raise_fence(ACCOUNTS, Fence(epoch=1, admits=True), expected=None)
    for key in (ADA, BEN, CAT):
        await truth.put(ACCOUNTS, key, content(key), expected=None, epoch=1)
    await truth.put(ACCOUNTS, ADA, content(ADA, displayName="Ada"), expected=1, epoch=1)
    await truth.delete(ACCOUNTS, CAT, expected=1, epoch=1)
    await copy.apply(ACCOUNTS, list((await truth.get_many(ACCOUNTS, [ADA, BEN, CAT])).values()))
    return Pair(ACCOUNTS, truth, copy)


def silent(_: int) -> None:
    """Tell nobody."""


async def test_sound_stores_raise_no_alarm() -> None:
    """Truth and copy hold what was acknowledged; fine instants and defaults are no differences."""
    stores = await pair()
    assert await compare_truth(stores, evidence(), silent) == []
    assert await compare_copy(stores, silent) == []


async def _lose(store: MemoryStore) -> None:
    await store.delete(ACCOUNTS, BEN, expected=1, epoch=1)


async def _overwrite(store: MemoryStore) -> None:
    await store.put(ACCOUNTS, ADA, content(ADA, displayName="Eve"), expected=2, epoch=1)


async def _resurrect(store: MemoryStore) -> None:
    await store.put(ACCOUNTS, CAT, content(CAT), expected=None, epoch=1)


@pytest.mark.parametrize(
    ("plant", "expected"),
    [(_lose, (BEN, "lost")), (_overwrite, (ADA, "overwritten")), (_resurrect, (CAT, "resurrected"))],
)
async def test_a_fault_in_the_truth_is_named(
    plant: Callable[[MemoryStore], Awaitable[None]], expected: tuple[str, str]
) -> None:
    """Lost, overwritten and resurrected records are found where they were planted."""
    stores = await pair()
    assert isinstance(stores.truth, MemoryStore)
    await plant(stores.truth)
    findings = await compare_truth(stores, evidence(), silent)
    assert [(found.key, found.sort) for found in findings] == [expected]


@pytest.mark.parametrize(
    "planted",
    [
        Record(ADA, 3, content(ADA, displayName="Ada")),
        Record(ADA, 3, None),
        Record(CAT, 9, content(CAT)),
    ],
    ids=["another version", "deleted", "resurrected"],
)
async def test_a_fault_in_the_copy_is_named(planted: Record) -> None:
    """A record in which truth and copy are apart is found, whichever has more."""
    stores = await pair()
    assert stores.copy is not None
    await stores.copy.apply(ACCOUNTS, [planted])
    findings = await compare_copy(stores, silent)
    assert [(found.key, found.sort) for found in findings] == [(planted.key, "apart")]


async def test_a_copy_that_lacks_or_twists_a_record_is_named() -> None:
    """A missing record, and one of the same version with other content, are found."""
    stores = await pair()
    twisted = MemoryStore("tables")
    await twisted.open()
    await twisted.apply(ACCOUNTS, [Record(ADA, 2, content(ADA, displayName="Adah"))])
    findings = await compare_copy(Pair(ACCOUNTS, stores.truth, twisted), silent)
    assert sorted((found.key, found.sort) for found in findings) == [(ADA, "apart"), (BEN, "apart")]
