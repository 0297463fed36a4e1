"""Promises about values that no two records of a kind share."""

import asyncio

import pytest

from manystore.errors import UniqueError
from manystore.records import Record
from manystore.stores.store import Applied, KeyRange, Refused, Store
from manystore.testing.contract.terms import Terms, admit, newest, read_log
from manystore.testing.samples import PEOPLE, key_of, person


def _with_email(number: int, email: str | None) -> dict[str, object]:
    return person(number, email=email)


class UniqueContract(Terms):
    """A value is claimed by the living record that has it, and by no other."""

    async def test_second_claim_is_refused(self, store: Store, second: Store) -> None:
        """A value that differs only in case is taken; the refusal names the constraint and the field."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, key_of(1), _with_email(1, "Ada@Example.org"), expected=None, epoch=1)
        with pytest.raises(UniqueError) as refusal:
            await second.put(PEOPLE, key_of(2), _with_email(2, "aDA@example.ORG"), expected=None, epoch=1)
        assert (refusal.value.constraint, refusal.value.field) == ("people_email", "email")
        assert (refusal.value.kind, refusal.value.key) == ("people", key_of(2))
        assert await store.get(PEOPLE, key_of(2)) is None
        assert newest((await read_log(store, PEOPLE))[0]) == {key_of(1): 1}

    async def test_letters_beyond_ascii_have_case_too(self, store: Store) -> None:
        """Case is ignored for every letter that has one."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, key_of(1), _with_email(1, "ÉMILIE.ЖУК@example.org"), expected=None, epoch=1)
        with pytest.raises(UniqueError):
            await store.put(
                PEOPLE, key_of(2), _with_email(2, "émilie.жук@example.org"), expected=None, epoch=1
            )

    async def test_spellings_of_an_accent_are_two_values(self, store: Store) -> None:
        """Nothing but case is ignored: composed and decomposed letters differ, and so do spaces."""
        await admit(store, PEOPLE)
        for number, email in enumerate(["zo\u00eb@b.org", "zoe\u0308@b.org", " zo\u00eb@b.org", ""]):
            await store.put(PEOPLE, key_of(number), _with_email(number, email), expected=None, epoch=1)
        assert await store.count(PEOPLE) == 4

    async def test_null_and_missing_claim_nothing(self, store: Store) -> None:
        """Any number of records may have no value."""
        await admit(store, PEOPLE)
        for number in (1, 2):
            await store.put(PEOPLE, key_of(number), _with_email(number, None), expected=None, epoch=1)
        for number in (3, 4):
            await store.put(PEOPLE, key_of(number), {"id": key_of(number)}, expected=None, epoch=1)
        assert await store.count(PEOPLE) == 4

    async def test_record_keeps_its_own_value(self, store: Store) -> None:
        """Writing a record anew with its own value, also in other case, is no violation."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, key_of(1), _with_email(1, "a@b.org"), expected=None, epoch=1)
        await store.put(PEOPLE, key_of(1), person(1, email="a@b.org", name="B"), expected=1, epoch=1)
        await store.put(PEOPLE, key_of(1), person(1, email="A@B.org", name="B"), expected=2, epoch=1)
        assert (await store.apply(PEOPLE, [Record(key_of(1), 9, _with_email(1, "a@b.ORG"))])) == [Applied()]

    async def test_change_frees_the_former_value(self, store: Store) -> None:
        """A value that its record gave up can be claimed by another, and the new one is claimed."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, key_of(1), _with_email(1, "a@b.org"), expected=None, epoch=1)
        await store.put(PEOPLE, key_of(1), _with_email(1, "c@d.org"), expected=1, epoch=1)
        await store.put(PEOPLE, key_of(2), _with_email(2, "A@b.org"), expected=None, epoch=1)
        with pytest.raises(UniqueError):
            await store.put(PEOPLE, key_of(3), _with_email(3, "c@D.org"), expected=None, epoch=1)
        with pytest.raises(UniqueError):
            await store.put(PEOPLE, key_of(1), _with_email(1, "a@b.org"), expected=2, epoch=1)
        assert await store.get(PEOPLE, key_of(1)) == Record(key_of(1), 2, _with_email(1, "c@d.org"))

    async def test_delete_frees_the_value(self, store: Store) -> None:
        """A deleted record claims nothing; if another took the value, it cannot come back with it."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, key_of(1), _with_email(1, "a@b.org"), expected=None, epoch=1)
        await store.delete(PEOPLE, key_of(1), expected=1, epoch=1)
        await store.put(PEOPLE, key_of(2), _with_email(2, "a@b.org"), expected=None, epoch=1)
        with pytest.raises(UniqueError):
            await store.put(PEOPLE, key_of(1), _with_email(1, "a@b.org"), expected=None, epoch=1)
        assert (
            await store.put(PEOPLE, key_of(1), _with_email(1, "e@f.org"), expected=None, epoch=1)
        ).version == 3

    async def test_one_of_many_claimants_wins(self, store: Store, second: Store) -> None:
        """Of many records that claim one value at once, exactly one is accepted."""
        await admit(store, PEOPLE)
        tries = [
            handle.put(PEOPLE, key_of(number), _with_email(number, "one@b.org"), expected=None, epoch=1)
            for number, handle in enumerate([store, second] * 5)
        ]
        results = await asyncio.gather(*tries, return_exceptions=True)
        (winner,) = (result for result in results if isinstance(result, Record))
        refusals = [result for result in results if not isinstance(result, Record)]
        assert all(isinstance(refusal, UniqueError) for refusal in refusals), refusals
        assert await store.scan(PEOPLE, KeyRange(), 20) == [winner]

    async def test_copy_refuses_only_the_record_that_clashes(self, store: Store) -> None:
        """In a batch, the second holder of a value is refused with its reason, and the others land."""
        records = [
            Record(key_of(number), 1, _with_email(number, email))
            for number, email in enumerate(["a@b.org", "c@d.org", "A@B.org", "e@f.org"])
        ]
        outcomes = await store.apply(PEOPLE, records)
        assert [type(outcome) for outcome in outcomes] == [Applied, Applied, Refused, Applied]
        assert isinstance(outcomes[2], Refused)
        assert isinstance(outcomes[2].error, UniqueError)
        assert outcomes[2].error.key == key_of(2)
        assert set(await store.get_many(PEOPLE, [record.key for record in records])) == {
            key_of(0),
            key_of(1),
            key_of(3),
        }

    async def test_copy_hands_a_value_on_within_a_batch(self, store: Store) -> None:
        """A value given up by one record can be claimed by a later one of the same batch."""
        await store.apply(PEOPLE, [Record(key_of(1), 1, _with_email(1, "a@b.org"))])
        outcomes = await store.apply(
            PEOPLE,
            [
                Record(key_of(1), 2, _with_email(1, "c@d.org")),
                Record(key_of(2), 1, _with_email(2, "a@b.org")),
                Record(key_of(1), 3, None),
                Record(key_of(3), 1, _with_email(3, "c@d.org")),
            ],
        )
        assert outcomes[1] == outcomes[2] == outcomes[3] == Applied()
        assert await store.get(PEOPLE, key_of(1)) == Record(key_of(1), 3, None)
        assert await store.count(PEOPLE) == 2
