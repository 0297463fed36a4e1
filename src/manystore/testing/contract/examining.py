"""Promises about examining: what a store would refuse is known before anything is written."""

from collections.abc import AsyncIterator, Iterable, Sequence

from manystore.records import Record
from manystore.stores.store import KeyRange, Store, Twins
from manystore.testing.contract.terms import Terms, admit, fill
from manystore.testing.samples import PEOPLE, awkward_people, key_of, person


async def in_batches(records: Iterable[Record], size: int = 3) -> AsyncIterator[Sequence[Record]]:
    """The records, a few at a time, as a scan would bring them."""
    rest = list(records)
    while rest:
        yield rest[:size]
        rest = rest[size:]


class ExaminingContract(Terms):
    """Examined records are judged as if they were all that the store held, and are not written."""

    async def test_well_formed_records_are_found_fit(self, store: Store) -> None:
        """Where everything fits, the examination says how many records it saw, tombstones passed over."""
        records = [Record(key_of(number), 1, person(number)) for number in range(10)]
        found = await store.examine(PEOPLE, in_batches([*records, Record(key_of(99), 4, None)]))
        assert (found.examined, found.unfit_count, found.twins_count) == (10, 0, 0)
        assert (found.unfit, found.twins) == ((), ())
        assert await store.scan(PEOPLE, KeyRange(), 10) == []

    async def test_twins_are_named(self, store: Store) -> None:
        """Records that share a unique value, in any case, are listed by value with all their keys."""
        emails = ["a@b.org", "c@d.org", "A@b.org", None, "É@f.org", "a@B.org", "é@F.org", None]
        records = [Record(key_of(n), 0, person(n, email=email)) for n, email in enumerate(emails)]
        found = await store.examine(PEOPLE, in_batches(records))
        assert (found.examined, found.twins_count) == (8, 2)
        expected = [
            Twins(
                unique="people_email",
                field="email",
                value=value,
                keys=tuple(sorted(key_of(number) for number in numbers)),
            )
            for value, numbers in (("a@b.org", (0, 2, 5)), ("é@f.org", (4, 6)))
        ]
        assert sorted(found.twins, key=lambda twins: twins.value) == expected
        assert list(found.twins) == sorted(found.twins, key=lambda twins: twins.keys)

    async def test_what_is_held_already_does_not_count(self, store: Store) -> None:
        """The records are judged by themselves: those that the store holds are no twins of theirs."""
        await admit(store, PEOPLE)
        (held,) = await fill(store, PEOPLE, [person(1)])
        other = Record(key_of(2), 1, person(2, email=person(1)["email"]))
        assert (await store.examine(PEOPLE, in_batches([held]))).twins_count == 0
        assert (await store.examine(PEOPLE, in_batches([other]))).twins_count == 0
        assert await store.get(PEOPLE, key_of(2)) is None

    async def test_samples_are_bounded_and_counts_are_not(self, store: Store) -> None:
        """Of very many twins a hundred are shown, in order of keys, and all are counted."""
        records = [Record(key_of(n), 0, person(n, email=f"p{n // 2}@b.org")) for n in range(260)]
        found = await store.examine(PEOPLE, in_batches(records, size=50))
        assert (found.examined, found.twins_count, len(found.twins)) == (260, 130, 100)
        assert list(found.twins) == sorted(found.twins, key=lambda twins: twins.keys)

    async def test_unfit_values_are_named(self, store: Store) -> None:
        """Exactly the values that the store would refuse are reported, each with record and field."""
        contents = awkward_people()
        names = {key_of(number): trap for number, trap in enumerate(contents)}
        records = [Record(key, 0, contents[trap] | {"id": key, "email": None}) for key, trap in names.items()]
        found = await store.examine(PEOPLE, in_batches(records))
        assert found.unfit_count == len(found.unfit)
        assert {names[each.key] for each in found.unfit} == self.quarantines
        assert all(each.store == store.name and each.field for each in found.unfit)
