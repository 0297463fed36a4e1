"""Promises about records of a copy whose unique values change hands."""

from manystore.errors import UniqueError
from manystore.records import Record
from manystore.stores.store import Applied, Diverged, Ignored, KeyRange, Refused, Store
from manystore.testing.contract.terms import Terms, read_log, scan_all
from manystore.testing.samples import LETTERS, PEOPLE, key_of, letter, person


def at(number: int, version: int, email: str | None) -> Record:
    """A person at a version, with an e-mail address."""
    return Record(key_of(number), version, person(number, email=email))


class ExchangeContract(Terms):
    """Values that records of one call give up are free for the others of it; all come in, or none."""

    async def test_two_exchange_a_value(self, store: Store, second: Store) -> None:
        """What neither of two can take as long as the other has it, both take together."""
        await store.apply(PEOPLE, [at(1, 1, "x@b.org"), at(2, 1, "y@b.org")])
        swapped = [at(1, 3, "y@b.org"), at(2, 2, "X@b.org")]
        assert all(isinstance(outcome, Refused) for outcome in await store.apply(PEOPLE, swapped))
        assert await store.apply_together(PEOPLE, swapped) == [Applied(), Applied()]
        assert await scan_all(second, PEOPLE) == sorted(swapped, key=lambda record: record.key)
        assert await second.apply_together(PEOPLE, swapped) == [Ignored(3), Ignored(2)]

    async def test_each_value_is_one_s_own_afterwards(self, store: Store) -> None:
        """After an exchange nobody else can take the values, and each may be given up as ever."""
        await store.apply(PEOPLE, [at(1, 1, "x@b.org"), at(2, 1, "y@b.org")])
        await store.apply_together(PEOPLE, [at(1, 2, "y@b.org"), at(2, 2, "x@b.org")])
        for email in ("x@b.org", "y@b.org"):
            [outcome] = await store.apply(PEOPLE, [at(3, 1, email)])
            assert isinstance(outcome, Refused)
        assert await store.apply(PEOPLE, [at(1, 3, "z@b.org"), at(3, 1, "Y@b.org")]) == [Applied()] * 2
        assert await store.apply(PEOPLE, [Record(key_of(2), 3, None), at(4, 1, "x@b.org")]) == [Applied()] * 2

    async def test_a_circle_with_some_that_come_and_go(self, store: Store) -> None:
        """Four hand their values on in a circle; a fifth is deleted, and a new record takes its value."""
        emails = [f"e{number}@b.org" for number in range(5)]
        await store.apply(PEOPLE, [at(number, 1, email) for number, email in enumerate(emails)])
        circle = [at(number, 2, emails[(number + 1) % 4]) for number in range(4)]
        rest = [Record(key_of(4), 2, None), at(5, 1, emails[4]), at(6, 1, None)]
        assert await store.apply_together(PEOPLE, [*circle, *rest[::-1]]) == [Applied()] * 7
        found = await store.get_many(PEOPLE, [key_of(number) for number in range(7)])
        assert found == {record.key: record for record in (*circle, *rest)}

    async def test_all_or_none(self, store: Store) -> None:
        """Where somebody else holds one of the values, nothing changes; all that were newer are refused."""
        before = [at(1, 1, "x@b.org"), at(2, 1, "y@b.org"), at(3, 1, "z@b.org")]
        await store.apply(PEOPLE, before)
        outcomes = await store.apply_together(
            PEOPLE, [at(1, 2, "y@b.org"), at(2, 2, "z@b.org"), at(3, 1, "z@b.org")]
        )
        assert [type(outcome) for outcome in outcomes] == [Refused, Refused, Ignored]
        assert isinstance(outcomes[0], Refused)
        assert isinstance(outcomes[0].error, UniqueError)
        assert await scan_all(store, PEOPLE) == sorted(before, key=lambda record: record.key)
        # Nothing was let go on the way either.
        [again] = await store.apply(PEOPLE, [at(4, 1, "x@b.org")])
        assert isinstance(again, Refused)

    async def test_two_that_want_one_value_are_refused(self, store: Store) -> None:
        """An exchange after which two would hold the same is none."""
        before = [at(1, 1, "x@b.org"), at(2, 1, "y@b.org")]
        await store.apply(PEOPLE, before)
        outcomes = await store.apply_together(PEOPLE, [at(1, 2, "y@b.org"), at(2, 2, "Y@b.org")])
        assert [type(outcome) for outcome in outcomes] == [Refused, Refused]
        assert await scan_all(store, PEOPLE) == sorted(before, key=lambda record: record.key)

    async def test_what_is_not_newer_keeps_its_value(self, store: Store) -> None:
        """A record that the copy has newer, or otherwise, is told as such, and gives nothing up."""
        await store.apply(PEOPLE, [at(1, 5, "x@b.org"), at(2, 2, "y@b.org")])
        outcomes = await store.apply_together(PEOPLE, [at(1, 4, "y@b.org"), at(2, 2, "other@b.org")])
        assert outcomes == [Ignored(5), Diverged(2)]
        outcomes = await store.apply_together(PEOPLE, [at(1, 4, "y@b.org"), at(2, 3, "x@b.org")])
        assert [type(outcome) for outcome in outcomes] == [Ignored, Refused]
        assert await store.get(PEOPLE, key_of(2)) == at(2, 2, "y@b.org")

    async def test_nothing_else_is_touched(self, store: Store) -> None:
        """Children and parts of those who exchange values stay as they are, and the log says nothing."""
        people = [at(1, 1, "x@b.org"), at(2, 1, "y@b.org")]
        letters = [Record(key_of(10 + number), 4, letter(10 + number, number)) for number in (1, 2)]
        await store.apply(PEOPLE, people)
        await store.apply(LETTERS, letters)
        swapped = [at(1, 2, "y@b.org"), at(2, 2, "x@b.org")]
        assert await store.apply_together(PEOPLE, swapped) == [Applied(), Applied()]
        found = await store.scan(LETTERS, KeyRange(), 10)
        assert found == sorted(letters, key=lambda record: record.key)
        assert [(await read_log(store, kind))[0] for kind in (PEOPLE, LETTERS)] == [[], []]
        assert await store.apply_together(PEOPLE, []) == []
