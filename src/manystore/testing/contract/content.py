"""Promises about exactness: what comes back is what went in, byte for byte in canonical form."""

import pytest

from manystore.errors import NotRepresentableError
from manystore.records import Content, Record, canonical
from manystore.stores.store import Applied, Ignored, KeyRange, Refused, Store
from manystore.testing.contract.terms import Terms, admit
from manystore.testing.samples import PEOPLE, awkward_people, key_of

_KEY = key_of(0)
_AWKWARD = pytest.mark.parametrize(
    ("trap", "content"), [pytest.param(trap, content, id=trap) for trap, content in awkward_people().items()]
)


def is_exact(record: Record | None, content: Content) -> bool:
    """Whether a record that was read has exactly this content (`==` would take 1, 1.0 and True for equal)."""
    return record is not None and canonical(record.content) == canonical(content)


class ContentContract(Terms):
    """A value is exact, or refused by name; it is never nearly the same."""

    @_AWKWARD
    async def test_put_carries_every_value_exactly(
        self, store: Store, second: Store, trap: str, content: Content
    ) -> None:
        """What is put comes back the same from get, get_many, scan and another handle, or was refused."""
        await admit(store, PEOPLE)
        if trap in self.quarantines:
            with pytest.raises(NotRepresentableError):
                await store.put(PEOPLE, _KEY, content, expected=None, epoch=1)
            assert await store.get(PEOPLE, _KEY) is None
            return
        written = await store.put(PEOPLE, _KEY, content, expected=None, epoch=1)
        assert is_exact(written, content)
        assert is_exact(await store.get(PEOPLE, _KEY), content)
        assert is_exact(await second.get(PEOPLE, _KEY), content)
        assert is_exact((await store.get_many(PEOPLE, [_KEY]))[_KEY], content)
        (scanned,) = await store.scan(PEOPLE, KeyRange(), 10)
        assert is_exact(scanned, content)

    @_AWKWARD
    async def test_apply_carries_every_value_exactly(self, store: Store, trap: str, content: Content) -> None:
        """What is applied to a copy is exact as well, and applying it again finds it the same."""
        record = Record(_KEY, 3, content)
        (outcome,) = await store.apply(PEOPLE, [record])
        if trap in self.quarantines:
            assert isinstance(outcome, Refused)
            assert isinstance(outcome.error, NotRepresentableError)
            assert await store.get(PEOPLE, _KEY) is None
            return
        assert outcome == Applied()
        assert is_exact(await store.get(PEOPLE, _KEY), content)
        assert await store.apply(PEOPLE, [record]) == [Ignored(3)]

    @_AWKWARD
    async def test_every_value_gives_way_to_another(self, store: Store, trap: str, content: Content) -> None:
        """Nothing of a former content shines through the next one, nor through a tombstone."""
        if trap in self.quarantines:
            pytest.skip("the store refuses this value")
        await admit(store, PEOPLE)
        plain: Content = {"id": _KEY, "name": "plain", "tags": ["t"], "pets": [{"id": key_of(8), "age": 1}]}
        await store.put(PEOPLE, _KEY, plain, expected=None, epoch=1)
        await store.put(PEOPLE, _KEY, content, expected=1, epoch=1)
        assert is_exact(await store.get(PEOPLE, _KEY), content)
        await store.put(PEOPLE, _KEY, plain, expected=2, epoch=1)
        assert is_exact(await store.get(PEOPLE, _KEY), plain)
        await store.put(PEOPLE, _KEY, content, expected=3, epoch=1)
        await store.delete(PEOPLE, _KEY, expected=4, epoch=1)
        await store.put(PEOPLE, _KEY, {"id": _KEY}, expected=None, epoch=1)
        assert is_exact(await store.get(PEOPLE, _KEY), {"id": _KEY})

    async def test_order_of_names_does_not_matter(self, store: Store) -> None:
        """Two spellings of one object are the same record: the copy ignores the second."""
        content = {
            "id": _KEY,
            "name": "n",
            "extra": {"a": 1, "b": 2},
            "address": {"street": "s", "city": "c"},
        }
        turned = {"address": {"city": "c", "street": "s"}, "extra": {"b": 2, "a": 1}, "name": "n", "id": _KEY}
        await store.apply(PEOPLE, [Record(_KEY, 1, content)])
        assert await store.apply(PEOPLE, [Record(_KEY, 1, turned)]) == [Ignored(1)]
