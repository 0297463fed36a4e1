"""What lies where when two stores hold a kind, and what is asked of which."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from manystore.errors import DeclarationError, NotRepresentableError, UnknownKindError
from manystore.records import Kind, Record, canonical
from manystore.specifications import (
    EVERYTHING,
    Ascending,
    Both,
    Descending,
    Page,
    Predicate,
    Specification,
    field,
)
from manystore.stores.memory import MemoryStore
from manystore.stores.split import POINTER, Split, SplitStore
from manystore.stores.store import Applied, Ignored, Note, Refused
from manystore.testing.samples import LETTERS, PEOPLE, key_of, letter, person
from tests.unit.splitting import KEY, SHEETS, SPLIT, Pair, pair, stamped

__all__ = ["pair"]


async def test_each_store_has_its_fields_alone(pair: Pair) -> None:
    """Of the rest's fields the core has neither value nor name, the rest none of the core's but the key."""
    await pair.store().put(PEOPLE, KEY, person(1, unknown=[1]), expected=None, epoch=1)
    core = await pair.core.get(SPLIT.core_kind, KEY)
    assert core is not None
    assert core.content is not None
    assert set(core.content) == (set(person(1)) | {"unknown", POINTER}) - {"name", "nicknames", "extra"}
    (part,) = await pair.parts()
    assert part["content"] == {name: person(1)[name] for name in ("name", "nicknames", "extra")}
    assert core.content[POINTER] == part["digest"]


async def test_record_without_rest_has_no_sheet(pair: Pair) -> None:
    """Nothing is kept in the rest store for who has nothing there; a record that loses its part loses all."""
    store = pair.store()
    await store.put(PEOPLE, KEY, {"id": KEY, "visits": 1}, expected=None, epoch=1)
    assert await pair.rest.get(SHEETS, KEY) is None
    await store.put(PEOPLE, KEY, stamped(2), expected=1, epoch=1)
    assert len(await pair.parts()) == 1
    await store.put(PEOPLE, KEY, {"id": KEY, "visits": 3}, expected=2, epoch=1)
    assert await pair.parts() == []
    assert await store.get(PEOPLE, KEY) == Record(KEY, 3, {"id": KEY, "visits": 3})


async def test_write_of_core_fields_leaves_the_rest_store_alone(pair: Pair) -> None:
    """Where the part stays the same, it is not written again."""
    store = pair.store()
    await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
    before = await pair.rest.get(SHEETS, KEY)
    await store.put(PEOPLE, KEY, person(1, visits=7), expected=1, epoch=1)
    assert await pair.rest.get(SHEETS, KEY) == before
    assert await store.get(PEOPLE, KEY) == Record(KEY, 2, person(1, visits=7))


async def test_former_part_does_not_stay(pair: Pair) -> None:
    """After a change one part is left, after a deletion none: what a person took back is gone."""
    store = pair.store()
    await store.put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    await store.put(PEOPLE, KEY, stamped(2), expected=1, epoch=1)
    (part,) = await pair.parts()
    assert part["content"]["name"] == "stamp 2"
    await store.delete(PEOPLE, KEY, expected=2, epoch=1)
    assert await pair.rest.get(SHEETS, KEY) == Record(KEY, 5, None)
    assert await store.apply(PEOPLE, [Record(KEY, n, stamped(n)) for n in (4, 6, 5)]) == [
        Applied(),
        Applied(),
        Ignored(6),
    ]
    (part,) = await pair.parts()
    assert part["content"]["name"] == "stamp 6"


async def test_kinds_that_are_not_split_lie_in_the_core(pair: Pair) -> None:
    """They are the core store's own, in every way."""
    store = pair.store()
    await store.put(LETTERS, key_of(9), letter(9, 1), expected=None, epoch=1)
    assert await pair.core.get(LETTERS, key_of(9)) == await store.get(LETTERS, key_of(9))
    assert await store.find(LETTERS, Specification()) == await pair.core.find(LETTERS, Specification())
    assert await store.delete(LETTERS, key_of(9), expected=1, epoch=1) == Record(key_of(9), 2, None)
    with pytest.raises(UnknownKindError):
        await store.sweep(LETTERS)


async def test_property_called_like_the_pointer_is_carried(pair: Pair) -> None:
    """Nobody's property is lost because the engine uses its name."""
    content = {"id": KEY, POINTER: {"mine": [1.0, None]}}
    await pair.store().put(PEOPLE, KEY, content, expected=None, epoch=1)
    read = await pair.store().get(PEOPLE, KEY)
    assert read is not None
    assert canonical(read.content) == canonical(content)


async def test_part_too_deep_for_a_sheet_is_refused_by_name(pair: Pair) -> None:
    """Sheets add a few levels of their own: what then is too deep is refused with its field, unwritten."""
    deep: Any = "bottom"
    for _ in range(125):
        deep = [deep]
    content = person(1, extra=deep)
    store = pair.store()
    with pytest.raises(NotRepresentableError) as refusal:
        await store.put(PEOPLE, KEY, content, expected=None, epoch=1)
    assert (refusal.value.kind, refusal.value.store) == ("people", "split")
    assert refusal.value.field.startswith("extra[0]")
    records = [Record(KEY, 1, content), Record(key_of(2), 1, person(2))]
    refused, applied = await store.apply(PEOPLE, records, note=Note(name="n", value=b"v", revision=0))
    assert isinstance(refused, Refused)
    assert applied == Applied()
    assert (await store.note("n")).value == b"v"
    assert await store.get(PEOPLE, KEY) is None

    async def batches() -> AsyncIterator[list[Record]]:
        yield records

    found = await store.examine(PEOPLE, batches())
    assert (found.examined, found.unfit_count, found.unfit[0].key) == (2, 1, KEY)


@pytest.mark.parametrize(
    ("kind", "rest"),
    [
        (PEOPLE, ()),
        (PEOPLE, ("name", "name")),
        (PEOPLE, ("colour",)),
        (PEOPLE, ("name", "id")),
        (PEOPLE, ("email",)),
        (LETTERS, ("personId",)),
    ],
)
def test_what_cannot_be_split_off_is_refused(kind: Kind, rest: tuple[str, ...]) -> None:
    """The rest is declared fields, and none by which the core finds, spreads, or refuses records."""
    with pytest.raises(DeclarationError):
        Split(kind=kind, rest=rest)


def test_kind_is_split_once() -> None:
    """Two splits of one kind are a mistake."""
    with pytest.raises(DeclarationError):
        SplitStore(MemoryStore(), MemoryStore(), [SPLIT, Split(kind=PEOPLE, rest=("tags",))])


def _pieces(predicate: Predicate) -> list[Predicate]:
    """What all has to hold, one by one."""
    if not isinstance(predicate, Both):
        return [predicate]
    return [piece for part in predicate.parts for piece in _pieces(part)]


async def test_core_evaluates_what_it_can(pair: Pair) -> None:
    """Of a conjunction the core is asked its own part, and the order where that is all core."""
    asked: list[Specification] = []

    class Asked(MemoryStore):
        async def find(self, kind: Kind, specification: Specification) -> Page:
            asked.append(specification)
            return await super().find(kind, specification)

    core = Asked("core")
    store = SplitStore(core, MemoryStore("rest"), [SPLIT])
    await store.open()
    await store.apply(PEOPLE, [Record(key_of(n), 1, person(n)) for n in range(30)])
    mine, theirs = field("visits") < 20, field("name") == "Person 7"
    for where, order, pushed, pushed_order in (
        (mine, (Ascending("born"),), mine, (Ascending("born"),)),
        (mine & theirs, (Descending("visits"),), mine, (Descending("visits"),)),
        (mine | theirs, (), EVERYTHING, ()),
        (~theirs, (Ascending("name"),), EVERYTHING, ()),
    ):
        asked.clear()
        await store.find(PEOPLE, Specification(where=where, order=order))
        assert _pieces(asked[0].where) == _pieces(pushed)
        assert asked[0].order == pushed_order
