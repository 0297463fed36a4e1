"""What a store of two stores promises beyond the contract: each version whole, whatever fails or meets."""

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, cast

import pytest

from manystore.comparison import compare
from manystore.errors import (
    DeclarationError,
    ManystoreError,
    NotRepresentableError,
    StaleEpochError,
    UnavailableError,
    UnknownKindError,
    VersionConflictError,
)
from manystore.records import Content, Kind, Record, canonical
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
from manystore.stores.store import Applied, Diverged, Ignored, KeyRange, Note, Refused, Store
from manystore.testing.contract.terms import admit
from manystore.testing.samples import LETTERS, PEOPLE, key_of, letter, person
from tests.unit.faults import Died, FaultPlan, FaultyStore, When

SPLIT: Final = Split(kind=PEOPLE, rest=("name", "nicknames", "extra"))
SHEETS: Final = SPLIT.rest_kind
KEY: Final = key_of(1)


class HandClock:
    """A clock that only its owner moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> dt.datetime:
        return dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Pair:
    """Two stores in memory, and any number of split stores over them."""

    def __init__(self) -> None:
        self.core, self.rest, self.clock = MemoryStore("core"), MemoryStore("rest"), HandClock()

    def store(self, plan: FaultPlan | None = None, seed: int = 0) -> SplitStore:
        """Another process's handle; with a plan, one in which something goes wrong."""
        core, rest = cast(Store, self.core), cast(Store, self.rest)
        if plan is not None:
            core, rest = cast(Store, FaultyStore(core, plan)), cast(Store, FaultyStore(rest, plan))
        return SplitStore(core, rest, [SPLIT], clock=self.clock, randomness=random.Random(seed))

    async def parts(self, key: str = KEY) -> list[dict[str, Any]]:
        """What lies on a record's sheet."""
        sheet = await self.rest.get(SHEETS, key)
        return [] if sheet is None or sheet.content is None else list(sheet.content["parts"])


@pytest.fixture
async def pair() -> Pair:
    pair = Pair()
    await pair.core.open()
    await pair.rest.open()
    await admit(pair.store(), PEOPLE, LETTERS)
    return pair


def stamped(stamp: int, number: int = 1) -> Content:
    """A person in whom core and rest bear the same stamp, so that halves of two versions can be told."""
    return person(number, visits=stamp, name=f"stamp {stamp}")


def stamps(record: Record) -> tuple[Any, Any]:
    """The stamp of the core's half, and that of the rest's."""
    assert record.content is not None
    return f"stamp {record.content['visits']}", record.content.get("name")


# -- what lies where ---------------------------------------------------------------------------------------


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


# -- faults ------------------------------------------------------------------------------------------------

Step = Callable[[SplitStore], Awaitable[object]]
STEPS: Final[dict[str, tuple[Step, Record | None]]] = {
    "create": (
        lambda store: store.put(PEOPLE, key_of(2), stamped(9, 2), expected=None, epoch=1),
        Record(key_of(2), 1, stamped(9, 2)),
    ),
    "change": (
        lambda store: store.put(PEOPLE, KEY, stamped(9), expected=2, epoch=1),
        Record(KEY, 3, stamped(9)),
    ),
    "change of the core": (
        lambda store: store.put(PEOPLE, KEY, person(1, name="stamp 2", visits=9), expected=2, epoch=1),
        Record(KEY, 3, person(1, name="stamp 2", visits=9)),
    ),
    "loss of the rest": (
        lambda store: store.put(PEOPLE, KEY, {"id": KEY}, expected=2, epoch=1),
        Record(KEY, 3, {"id": KEY}),
    ),
    "delete": (
        lambda store: store.delete(PEOPLE, KEY, expected=2, epoch=1),
        Record(KEY, 3, None),
    ),
    "apply": (
        lambda store: store.apply(PEOPLE, [Record(KEY, 7, stamped(9))]),
        Record(KEY, 7, stamped(9)),
    ),
    "apply a tombstone": (
        lambda store: store.apply(PEOPLE, [Record(KEY, 7, None)]),
        Record(KEY, 7, None),
    ),
}


async def _prepared() -> Pair:
    pair = Pair()
    await pair.core.open()
    await pair.rest.open()
    store = pair.store()
    await admit(store, PEOPLE)
    await store.put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    await store.put(PEOPLE, KEY, stamped(2), expected=1, epoch=1)
    return pair


async def _count_calls(step: Step) -> int:
    plan = FaultPlan(None)
    await step((await _prepared()).store(plan))
    return len(plan.calls)


@pytest.mark.parametrize("dies", [True, False])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", list(STEPS))
async def test_fault_at_any_call_leaves_a_whole_version(name: str, when: When, dies: bool) -> None:
    """Former or new, never halves; what is left over goes with the next version above its own."""
    step, after = STEPS[name]
    assert after is not None
    for at in range(await _count_calls(step)):
        pair = await _prepared()
        before = await pair.store().get(PEOPLE, after.key)
        plan, acknowledged = FaultPlan(at, when, dies=dies), False
        with contextlib.suppress(UnavailableError, Died):
            await step(pair.store(plan))
            acknowledged = True
        fresh = pair.store(seed=1)
        left = await fresh.get(PEOPLE, after.key)
        assert left in ([after] if acknowledged else [before, after]), plan.calls[at]
        pair.clock.seconds += 4_000
        swept = await fresh.sweep(PEOPLE)
        assert (swept.lost_count, swept.altered_count) == (0, 0)
        assert await fresh.get(PEOPLE, after.key) == left
        expected = left.version if left is not None and not left.is_deleted else None
        if left == after or expected is None:
            # Nothing can become of a part that was written for a former version, so it is gone.
            has_part = left is not None and left.content is not None and "name" in left.content
            assert len(await pair.parts(after.key)) == has_part
        last = person(7, id=after.key, name="last")
        await fresh.put(PEOPLE, after.key, last, expected=expected, epoch=1, above=7)
        (part,) = await pair.parts(after.key)
        assert part["content"]["name"] == "last"
        assert fresh.counters.lost_parts == 0


async def test_fault_in_cleaning_up_is_no_fault_of_the_write(pair: Pair) -> None:
    """A write that happened is acknowledged, though the former part could not be taken off; it is counted."""
    await pair.store().put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    plan = FaultPlan(None)
    await pair.store(plan).put(PEOPLE, KEY, stamped(2), expected=1, epoch=1)
    committed = plan.calls.index("core.put")
    assert committed < len(plan.calls) - 1
    store = pair.store(FaultPlan(committed + 1, "before"))
    written = await store.put(PEOPLE, KEY, stamped(3), expected=2, epoch=1)
    assert written == await pair.store().get(PEOPLE, KEY)
    assert store.counters.left_to_sweep == 1
    assert len(await pair.parts()) == 2
    assert (await pair.store().sweep(PEOPLE)).pruned == 1
    assert len(await pair.parts()) == 1


# -- sweeping ----------------------------------------------------------------------------------------------


class Held:
    """A writer that has put its part there, and is then held up on its way to the core."""

    def __init__(self, pair: Pair, step: Step) -> None:
        self._pair, self._step = pair, step
        self._reached, self._released = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._pair.core, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if name in ("put", "apply"):
                self._reached.set()
                await self._released.wait()
            return await method(*args, **kwargs)

        return call

    async def begin(self) -> "Held":
        """Let it come as far as to the core."""
        pair, core = self._pair, cast(Store, self)
        store = SplitStore(core, pair.rest, [SPLIT], clock=pair.clock, randomness=random.Random(99))
        self._task = asyncio.ensure_future(self._step(store))
        await self._reached.wait()
        return self

    async def go_on(self) -> object:
        """Let it go on; what became of it."""
        self._released.set()
        return await self._task


@pytest.mark.parametrize(
    ("step", "version"),
    [
        (lambda store: store.put(PEOPLE, KEY, stamped(9), expected=1, epoch=1), 2),
        (lambda store: store.apply(PEOPLE, [Record(KEY, 5, stamped(9))]), 5),
    ],
    ids=["put", "apply"],
)
async def test_sweep_keeps_what_a_slow_writer_is_about_to_point_to(
    pair: Pair, step: Step, version: int
) -> None:
    """However old it is: as long as the write can succeed, its part stays."""
    await pair.store().put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    held = await Held(pair, step).begin()
    pair.clock.seconds += 1_000_000
    await pair.store().sweep(PEOPLE)
    await held.go_on()
    assert await pair.store().get(PEOPLE, KEY) == Record(KEY, version, stamped(9))


async def test_part_of_a_write_that_can_no_longer_succeed_goes_at_once(pair: Pair) -> None:
    """As soon as the core is beyond the version that the writer expected, and whoever sweeps."""
    await pair.store().put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    late = await Held(pair, lambda store: store.put(PEOPLE, KEY, stamped(9), expected=1, epoch=1)).begin()
    await pair.store().put(PEOPLE, KEY, stamped(2), expected=1, epoch=1)
    (part,) = await pair.parts()
    assert part["content"]["name"] == "stamp 2"
    with pytest.raises(VersionConflictError):
        await late.go_on()
    assert await pair.store().get(PEOPLE, KEY) == Record(KEY, 2, stamped(2))


async def test_part_of_a_new_record_outlives_creations_and_deletions_of_others(pair: Pair) -> None:
    """A put of a new record succeeds over any tombstone, so its part waits for it, for as long as it may."""
    late = await Held(pair, lambda store: store.put(PEOPLE, KEY, stamped(9), expected=None, epoch=1)).begin()
    other = pair.store(seed=3)
    await other.put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    await other.delete(PEOPLE, KEY, expected=1, epoch=1)
    await other.sweep(PEOPLE)
    await late.go_on()
    assert await other.get(PEOPLE, KEY) == Record(KEY, 3, stamped(9))
    assert len(await pair.parts()) == 1


async def test_writer_of_a_new_record_gives_up_before_its_part_may_go(pair: Pair) -> None:
    """Half the time for which others wait: then it says that it is unavailable, and has written nothing."""
    core, never = pair.core, asyncio.Event()

    class Stuck(MemoryStore):
        async def put(self, *args: Any, **kwargs: Any) -> Record:
            await never.wait()
            raise AssertionError

    stuck = Stuck()
    await stuck.open()
    await admit(stuck, SPLIT.core_kind)
    store = SplitStore(stuck, cast(Store, pair.rest), [SPLIT], clock=pair.clock, grace=0.02)
    with pytest.raises(UnavailableError):
        await store.put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    assert await core.get(SPLIT.core_kind, KEY) is None
    assert len(await pair.parts()) == 1
    await pair.store().sweep(PEOPLE)
    assert len(await pair.parts()) == 1
    pair.clock.seconds += 4_000
    await pair.store().sweep(PEOPLE)
    assert await pair.parts() == []


async def test_refused_writes_leave_nothing(pair: Pair) -> None:
    """After a conflict, a stale epoch, a taken value, a divergence, each sheet is as it was before."""
    store = pair.store()
    await store.put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    with pytest.raises(VersionConflictError):
        await store.put(PEOPLE, KEY, stamped(2), expected=None, epoch=1)
    with pytest.raises(StaleEpochError) as stale:
        await store.put(PEOPLE, KEY, stamped(2), expected=1, epoch=9)
    assert (stale.value.store, stale.value.kind) == ("split", "people")
    taken = person(2, email=person(1)["email"])
    with pytest.raises(ManystoreError):
        await store.put(PEOPLE, key_of(2), taken, expected=None, epoch=1)
    outcomes = await store.apply(PEOPLE, [Record(key_of(2), 4, taken), Record(KEY, 1, stamped(5))])
    assert isinstance(outcomes[0], Refused)
    assert outcomes[1] == Diverged(1)
    assert await pair.parts(key_of(2)) == []
    (part,) = await pair.parts()
    assert part["content"]["name"] == "stamp 1"


# -- others in the rest store ------------------------------------------------------------------------------


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


# -- finding -----------------------------------------------------------------------------------------------


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


# -- together ----------------------------------------------------------------------------------------------


class Wavering:
    """Gives way to others before and after each call, as often as chance has it."""

    def __init__(self, store: Store, chance: random.Random) -> None:
        self._store, self._chance = store, chance
        self.name, self.fencing = store.name, store.fencing

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            await self._waver()
            result = await method(*args, **kwargs)
            await self._waver()
            return result

        return call

    async def _waver(self) -> None:
        for _ in range(self._chance.choice((0, 0, 1, 1, 2, 5, 20))):
            await asyncio.sleep(0)


class Crowd:
    """Writers, readers and sweepers over one pair of stores; remembers what each version was to be."""

    def __init__(self, pair: Pair, seed: int) -> None:
        self.pair, self.seed, self.chance = pair, seed, random.Random(seed)
        self.stores: list[SplitStore] = []
        # Few records, few contents: so that writers meet, and claim the same parts at the same time.
        self.keys = [key_of(0), key_of(1)]
        self.acknowledged: dict[tuple[str, int], Content | None] = {}

    def store(self) -> SplitStore:
        """Another process's handle, which others may overtake at every call."""
        core, rest = (cast(Store, Wavering(store, self.chance)) for store in (self.pair.core, self.pair.rest))
        own = random.Random(1_000 * self.seed + len(self.stores))
        self.stores.append(SplitStore(core, rest, [SPLIT], clock=self.pair.clock, randomness=own))
        return self.stores[-1]

    async def write(self) -> None:
        """Put, delete and apply, now and then in vain."""
        store = self.store()
        for _ in range(25):
            number = self.chance.randrange(len(self.keys))
            key, content = self.keys[number], stamped(self.chance.randrange(3), number)
            with contextlib.suppress(VersionConflictError):
                written = await self._write_once(store, key, content)
                if written is not None:
                    assert (key, written.version) not in self.acknowledged
                    self.acknowledged[key, written.version] = written.content

    async def _write_once(self, store: SplitStore, key: str, content: Content) -> Record | None:
        now = await store.get(PEOPLE, key)
        dice = self.chance.random()
        if dice < 0.15:
            above = Record(key, (now.version if now else 0) + self.chance.randrange(1, 3), content)
            return above if await store.apply(PEOPLE, [above]) == [Applied()] else None
        live = None if now is None or now.is_deleted else now.version
        if live is not None and dice < 0.4:
            return await store.delete(PEOPLE, key, expected=live, epoch=1)
        return await store.put(PEOPLE, key, content, expected=live, epoch=1)

    async def read(self) -> None:
        """Look on every road whether halves belong together."""
        store, named = self.store(), Specification(where=field("name") == "stamp 1")
        for _ in range(40):
            many = (await store.get_many(PEOPLE, self.keys)).values()
            scanned = await store.scan(PEOPLE, KeyRange(), 10)
            found = (await store.find(PEOPLE, named)).records
            assert [record for record in (*many, *scanned, *found) if not _is_whole(record)] == []

    async def sweep(self) -> None:
        """Clean up in the midst of it."""
        store = self.store()
        for _ in range(30):
            swept = await store.sweep(PEOPLE)
            assert (swept.lost_count, swept.altered_count) == (0, 0)


def _is_whole(record: Record) -> bool:
    return record.is_deleted or len(set(stamps(record))) == 1


@pytest.mark.parametrize("seed", range(25))
async def test_writers_readers_and_sweeps_meet_in_any_order(pair: Pair, seed: int) -> None:
    """Each version is one writer's, whole; of losers nothing shows or stays; no part of the living goes."""
    crowd = Crowd(pair, seed)
    jobs = [crowd.write, crowd.write, crowd.write, crowd.write, crowd.read, crowd.sweep, crowd.sweep]
    await asyncio.gather(*(job() for job in jobs))
    pair.clock.seconds += 4_000
    last = pair.store(seed=5)
    await last.sweep(PEOPLE)
    for key in crowd.keys:
        record = await last.get(PEOPLE, key)
        assert record is not None
        assert record.content == crowd.acknowledged[key, record.version]
        assert len(await pair.parts(key)) == (not record.is_deleted)
    assert [store.counters.lost_parts for store in (*crowd.stores, last)] == [0] * (len(jobs) + 1)
