"""Records whose parent is nowhere are named before a move, whoever could hold that parent."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from manystore.clock import SystemClock
from manystore.moves.parents import SAMPLES
from manystore.moves.plan import PAGE, plan
from manystore.moves.tasks import Action
from manystore.placement import read_state
from manystore.records import Kind, Record
from manystore.stores.memory import MemoryStore
from manystore.stores.store import Applied, KeyRange, Store
from manystore.testing.samples import LETTERS, PEOPLE, key_of, letter, person
from tests.unit.moving import Scene, memory_scene


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with memory_scene(tmp_path) as made:
        yield made


async def put(store: Store, *records: Record) -> None:
    kinds = {True: LETTERS, False: PEOPLE}
    for record in records:
        is_letter = record.content is not None and "personId" in record.content
        assert await store.apply(kinds[is_letter], [record]) == [Applied()]


def old(content: dict[str, Any]) -> Record:
    return Record(content["id"], 0, content)


async def test_missing_parents_are_found_before_the_move(scene: Scene) -> None:
    """A parent that never was, and one that was deleted, are named with their records; others are not."""
    await put(scene.source, old(person(1)), old(person(2)), Record(key_of(2), 1, None))
    await put(scene.source, *(old(letter(10 + n, n)) for n in (1, 2, 3)))
    found = await scene.do(Action.PLAN, "letters")
    assert found["isClear"] is False
    (finding,) = found["findings"]
    assert (finding["problem"], finding["field"], finding["count"]) == ("missing parent", "personId", 2)
    assert set(finding["samples"]) == {f"{key_of(10 + n)}: no people/{key_of(n)}" for n in (2, 3)}
    assert "people" in finding["remedy"]
    assert (await scene.do(Action.PLAN, "people"))["isClear"] is True


class LetGoMeanwhile(MemoryStore):
    """Every page is old by the time it is looked at: a child has let go of its parent, which is gone."""

    async def scan(self, kind: Kind, key_range: KeyRange, limit: int) -> list[Record]:
        """The page as it was before the last two writes."""
        page = await super().scan(kind, key_range, limit)
        if kind is LETTERS:
            await self.apply(LETTERS, [Record(key_of(11), 1, letter(11, 1, personId=None))])
            await self.apply(PEOPLE, [Record(key_of(1), 1, None)])
        return page


async def test_a_parent_that_goes_after_its_child_let_go_is_not_missed(tmp_path: Path) -> None:
    """While people go on, a page that was read before is no proof: the child is asked once more."""
    source, target = LetGoMeanwhile("documents"), MemoryStore("tables")
    await source.open()
    await target.open()
    scene = Scene(source, target, tmp_path)
    await put(source, old(person(1)), old(letter(11, 1)), old(letter(12, 2)))
    (finding,) = (await scene.do(Action.PLAN, "letters"))["findings"]
    assert list(finding["samples"]) == [f"{key_of(12)}: no people/{key_of(2)}"]


async def test_mended_records_are_found_no_more(scene: Scene) -> None:
    """Once the parent is made, or the record points to nothing, the plan is clear."""
    await put(scene.source, old(letter(11, 1)), old(letter(12, 2)))
    assert (await scene.do(Action.PLAN, "letters"))["findings"][0]["count"] == 2
    await put(scene.source, old(person(1)), Record(key_of(12), 1, letter(12, 2, personId=None)))
    assert (await scene.do(Action.PLAN, "letters"))["isClear"] is True


async def test_parent_is_looked_for_where_its_truth_is(scene: Scene) -> None:
    """After the parents' own move their truth is the target, whatever the source still holds."""
    await put(scene.source, old(person(1)), old(letter(11, 1)))
    async with scene.working():
        for action in (Action.START, Action.VERIFY, Action.CUT_OVER):
            await scene.do(action)
    await put(scene.target, old(person(3)))
    await put(scene.source, old(letter(13, 3)))
    assert (await scene.do(Action.PLAN, "letters"))["isClear"] is True
    await put(scene.target, Record(key_of(1), 9, None))
    (finding,) = (await scene.do(Action.PLAN, "letters"))["findings"]
    assert finding["count"] == 1


async def test_parent_without_placement_is_looked_for_in_the_target(scene: Scene) -> None:
    """Who is not placed cannot come along, so it must be there already."""
    await put(scene.source, old(person(1)), old(letter(11, 1)), old(letter(12, 2)))
    await put(scene.target, old(person(2)))
    found = await plan(scene.letters, await read_state(scene.letters), {}, clock=SystemClock())
    (finding,) = found.findings
    assert finding.samples == (f"{key_of(11)}: no people/{key_of(1)}",)


async def test_what_names_no_record_is_not_asked_for(scene: Scene) -> None:
    """Nothing, and values that no key can be, are the examination's business; capitals name the same row."""
    await put(scene.source, old(person(1)))
    for number, value in enumerate([None, 7, "", "nobody", "\x00", key_of(1).upper()]):
        await put(scene.source, old(letter(20 + number, 1, personId=value)))
    assert (await scene.do(Action.PLAN, "letters"))["isClear"] is True


async def test_many_are_counted_and_few_are_shown(scene: Scene) -> None:
    """The count is of all, over several pages; the samples are bounded."""
    letters = [old(letter(n, n % 7)) for n in range(PAGE + 200)]
    await scene.source.apply(LETTERS, letters)
    (finding,) = (await scene.do(Action.PLAN, "letters"))["findings"]
    assert (finding["count"], len(finding["samples"])) == (PAGE + 200, SAMPLES)
