"""What others do in the store of the rest is noticed, by name."""

from typing import Any

from manystore.comparison import compare
from manystore.records import Record
from manystore.stores.store import Applied
from manystore.testing.samples import PEOPLE
from tests.unit.splitting import KEY, SHEETS, Pair, pair, stamped, stamps

__all__ = ["pair"]


async def test_altered_part_is_noticed_everywhere(pair: Pair) -> None:
    """A rogue write is kept with its evidence, a comparison names the field, a sweep the record."""
    store = pair.store()
    written = await store.put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    sheet = await pair.rest.get(SHEETS, KEY)
    assert sheet is not None
    assert sheet.content is not None
    sheet.content["parts"][0]["content"]["name"] = "by a stranger"
    pair.rest.write_behind(SHEETS, KEY, sheet.content)
    (rogue,) = await store.rogue_writes(PEOPLE)
    assert "by a stranger" in rogue.evidence
    difference = compare(written, await store.get(PEOPLE, KEY))
    assert difference is not None
    assert (difference.sort, difference.fields) == ("differing", ("name",))
    assert store.counters.altered_parts == 1
    swept = await store.sweep(PEOPLE)
    assert (swept.altered, swept.altered_count, swept.lost_count) == ((KEY,), 1, 0)
    # Who writes the record's own content again mends it, though to the core nothing changes.
    await store.put(PEOPLE, KEY, stamped(1), expected=1, epoch=1)
    assert await store.get(PEOPLE, KEY) == Record(KEY, 2, stamped(1))
    assert await store.forget_rogue_write(PEOPLE, rogue)
    assert await store.rogue_writes(PEOPLE) == []


async def test_lost_part_is_named_and_what_is_left_stays_readable(pair: Pair) -> None:
    """Without its part the record has no field of the rest; comparison, sweep and counters say so."""
    store = pair.store()
    written = await store.put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    pair.rest.write_behind(SHEETS, KEY, None)
    difference = compare(written, await store.get(PEOPLE, KEY))
    assert difference is not None
    assert (difference.sort, difference.fields) == ("differing", ("extra", "name", "nicknames"))
    assert store.counters.lost_parts == 1
    assert (await store.sweep(PEOPLE)).lost == (KEY,)
    assert await store.apply(PEOPLE, [Record(KEY, 2, stamped(1))]) == [Applied()]
    assert await store.get(PEOPLE, KEY) == Record(KEY, 2, stamped(1))


async def test_sheet_that_is_none_any_more_is_a_lost_part(pair: Pair) -> None:
    """Whatever others write in its place, the record stays readable."""
    store = pair.store()
    await store.put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    broken: list[Any] = [None, "parts", [1], [{"digest": 1}], {}]
    for parts in broken:
        pair.rest.write_behind(SHEETS, KEY, {"id": KEY, "parts": parts})
        read = await store.get(PEOPLE, KEY)
        assert read is not None
        assert stamps(read) == ("stamp 1", None)
    assert (await store.sweep(PEOPLE)).lost == (KEY,)
