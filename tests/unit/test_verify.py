"""The verifier is tested by mutation: each way in which a copy can be wrong is found and named."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import cast

import msgspec
import pytest

from manystore.changes import Change
from manystore.comparison import compare, differing_fields
from manystore.errors import (
    CertificateError,
    MissingParentError,
    NotRepresentableError,
    StepRefusedError,
)
from manystore.followers.queue import DIVERGED_ATTEMPTS
from manystore.moves.tasks import Action
from manystore.moves.verify import Basis, Verifier
from manystore.placement import Phase, read_state
from manystore.records import Content, Kind, Record
from manystore.stores.memory import MemoryStore
from manystore.testing.samples import PEOPLE
from tests.unit.moving import Scene, adopt, memory_scene, person

COUNT = 40


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with memory_scene(tmp_path) as made:
        await adopt(made.source, COUNT)
        people = made.repository()
        for number in range(0, COUNT, 3):
            stored = await people.get(person(number).id)
            assert stored is not None
            await people.change(stored, msgspec.structs.replace(stored.value, visits=number))
        gone = await people.get(person(30).id)
        assert gone is not None
        await people.delete(gone)
        await made.do(Action.START)
        yield made


def plant(
    store: MemoryStore, key: str, version: int | None, alter: Callable[[Content], Content | None]
) -> None:
    """Change what a store holds without any of its safeguards, as a fault on its disk would."""
    drawer = store._drawer(PEOPLE)
    held = drawer.held[key]
    content = held.record(PEOPLE, key).content or {"id": key}
    altered = alter(dict(content))
    body = None if altered is None else msgspec.json.encode(altered, order="sorted")
    drawer.held[key] = msgspec.structs.replace(
        held, version=held.version if version is None else version, body=body
    )


def drop(store: MemoryStore, key: str) -> None:
    """Lose a record without a trace."""
    del store._drawer(PEOPLE).held[key]


KEY = person(3).id
MUTATIONS: dict[str, tuple[Callable[[MemoryStore], None], str]] = {
    "drop": (lambda store: drop(store, KEY), f"{KEY} missing"),
    "stale": (
        lambda store: plant(store, KEY, 0, lambda c: c | {"visits": 0}),
        f"{KEY} stale in visits",
    ),
    "resurrect": (
        lambda store: plant(store, person(30).id, None, lambda c: c | {"email": "x@example.org"}),
        f"{person(30).id} differing in $",
    ),
    "truncate": (
        lambda store: plant(store, KEY, None, lambda c: c | {"name": "Per"}),
        f"{KEY} differing in name",
    ),
    "type drift": (
        lambda store: plant(store, KEY, None, lambda c: c | {"visits": 3.0}),
        f"{KEY} differing in visits",
    ),
    "rogue write": (
        lambda store: plant(store, KEY, 7, lambda c: c | {"name": "Rogue"}),
        f"{KEY} ahead in name",
    ),
    "one flipped byte": (
        lambda store: plant(store, KEY, None, lambda c: c | {"name": "Persoo 3"}),
        f"{KEY} differing in name",
    ),
    "field lost": (
        lambda store: plant(store, KEY, None, lambda c: {k: v for k, v in c.items() if k != "shoeSize"}),
        f"{KEY} differing in shoeSize",
    ),
    "null for missing": (
        lambda store: plant(store, KEY, None, lambda c: c | {"born": None}),
        f"{KEY} differing in born",
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
async def test_each_mutation_of_the_copy_is_found_and_named(scene: Scene, name: str) -> None:
    """One wrong record among many is the one difference, with the fields in which it is wrong."""
    mutate, named = MUTATIONS[name]
    assert isinstance(scene.target, MemoryStore)
    mutate(scene.target)
    result = await scene.do(Action.VERIFY)
    assert result["samples"] == [named]
    assert result["certificate"] is None


async def test_records_that_changed_places_are_both_found(scene: Scene) -> None:
    """Two contents swapped between two keys are two differences."""
    assert isinstance(scene.target, MemoryStore)
    drawer = scene.target._drawer(PEOPLE)
    one, other = person(4).id, person(5).id
    drawer.held[one], drawer.held[other] = drawer.held[other], drawer.held[one]
    assert (await scene.do(Action.VERIFY))["differences"] == 2


async def test_a_duplicate_in_the_copy_is_extra(scene: Scene) -> None:
    """A record that the truth never had is named as one too many."""
    stray = msgspec.to_builtins(person(99))
    await scene.target.apply(PEOPLE, [Record(stray["id"], 1, stray)])
    assert (await scene.do(Action.VERIFY))["samples"] == [f"{stray['id']} extra"]


async def test_a_loss_in_the_truth_is_found_as_well(scene: Scene) -> None:
    """The comparison is of both sides: what only the copy still has is named."""
    assert isinstance(scene.source, MemoryStore)
    drop(scene.source, KEY)
    assert (await scene.do(Action.VERIFY))["samples"] == [f"{KEY} extra"]


async def test_agreement_yields_a_certificate_that_can_be_checked_again(scene: Scene) -> None:
    """A clean verification raises no alarm, and its certificate holds until a byte changes."""
    result = await scene.do(Action.VERIFY)
    assert (result["differences"], result["compared"]) == (0, COUNT)
    assert (await scene.do(Action.RECHECK))["holds"] is True
    assert isinstance(scene.target, MemoryStore)
    plant(scene.target, KEY, None, lambda c: c | {"name": "Persoo 3"})
    again = await scene.do(Action.RECHECK)
    assert (again["holds"], again["changedRanges"], again["samples"]) == (
        False,
        1,
        [f"{KEY} differing in name"],
    )


async def test_a_certificate_that_was_edited_is_refused(scene: Scene) -> None:
    """Changing one figure of the file breaks its seal."""
    path = Path((await scene.do(Action.VERIFY))["certificate"])
    path.write_text(path.read_text().replace(f'"records": {COUNT}', '"records": 41'))
    with pytest.raises(CertificateError, match="altered after it was issued"):
        scene.folder.read(path.name)


async def test_certificates_are_chained(scene: Scene) -> None:
    """Each names the seal of the one before."""
    names = [Path((await scene.do(Action.VERIFY))["certificate"]).name for _ in range(2)]
    first, second = (scene.folder.read(name) for name in names)
    assert (first.previous, second.previous) == (None, first.sha256)


async def test_since_looks_at_what_either_log_says(scene: Scene) -> None:
    """A pass compares what the truth wrote, and what somebody wrote to the copy behind the engine's back."""
    track = await scene.track()
    verifier = Verifier(track, clock=scene.clock)
    basis = await verifier.basis()
    assert (await Verifier(track, clock=scene.clock).since(basis)).compared == 0
    people = scene.repository()
    stored = await people.get(KEY)
    assert stored is not None
    await people.change(stored, msgspec.structs.replace(stored.value, name="Through the truth"))
    found = await Verifier(track, clock=scene.clock).since(basis)
    assert (found.compared, found.agrees) == (1, True)
    assert isinstance(scene.target, MemoryStore)
    plant(scene.target, KEY, None, lambda c: c | {"name": "Rogue"})
    found = await Verifier(track, clock=scene.clock).since(basis)
    assert [each.fields for each in found.differences] == [("name",)]
    assert (await Verifier(track, clock=scene.clock).since(Basis())).difference_count == 1


def test_differing_fields_lead_into_parts_and_lists() -> None:
    """The path says where, as deep as both sides have the same shape."""
    one = {"a": {"b": [1, {"c": 1}]}, "d": 1, "e": [1]}
    other = {"a": {"b": [1, {"c": 1.0}]}, "f": 1, "e": [1, 2]}
    assert list(differing_fields(one, other)) == ["a.b[1].c", "d", "e", "f"]


def test_equal_numbers_of_different_spelling_differ() -> None:
    """`1` and `1.0` are not the same bytes."""
    found = compare(Record("k", 1, {"n": 1}), Record("k", 1, {"n": 1.0}))
    assert found is not None
    assert (found.sort, found.fields) == ("differing", ("n",))


async def test_a_change_that_waits_in_the_queue_is_late_and_not_lost(scene: Scene) -> None:
    """A record whose change is queued is judged once it has left the queue, and then it agrees."""
    people = scene.repository()
    stored = await people.get(KEY)
    assert stored is not None
    changed = await people.change(stored, msgspec.structs.replace(stored.value, name="On its way"))
    track = await scene.track()
    problem = MissingParentError(
        kind="people", key=KEY, field="personId", parent_kind="people", parent_key=person(98).id
    )
    await track.queue.hold(changed.record, problem)
    parent = Record(person(98).id, 1, msgspec.to_builtins(person(98)))
    track.placement = msgspec.structs.replace(track.placement, parents=(PEOPLE,))

    async def arrive() -> None:
        await asyncio.sleep(0.4)
        await scene.target.apply(PEOPLE, [parent])

    arriving = asyncio.create_task(arrive())
    settled = await Verifier(track, clock=scene.clock).settle([KEY])
    await arriving
    assert settled[KEY].difference is None
    assert settled[KEY].copy == changed.record


class RestlessStore(MemoryStore):
    """A truth in which one record is written just before and just after each reading, logged as ever."""

    writes = 0
    is_restless = True

    async def get_many(self, kind: Kind, keys: Sequence[str]) -> dict[str, Record]:
        """See Store.get_many."""
        self._stir(keys)
        found = await super().get_many(kind, keys)
        self._stir(keys)
        return found

    def _stir(self, keys: Sequence[str]) -> None:
        if KEY in keys and self.is_restless:
            self.writes += 1
            version = self._drawer(PEOPLE).held[KEY].version + 1
            plant(self, KEY, version, lambda content: content | {"visits": version})
            self._drawer(PEOPLE).log.append(Change(KEY, version))


@pytest.fixture
async def restless(tmp_path: Path) -> Scene:
    """A scene with a record that is never met at rest."""
    source, target = RestlessStore("documents"), MemoryStore("tables")
    await source.open()
    await target.open()
    await adopt(source, COUNT)
    scene = Scene(source, target, tmp_path)
    await scene.do(Action.START)
    stored = await scene.repository().get(KEY)
    assert stored is not None
    await scene.repository().change(stored, msgspec.structs.replace(stored.value, name="Busy"))
    return scene


async def test_a_record_that_never_rests_is_no_difference(restless: Scene) -> None:
    """It is decided by version and counted as moving; once it rests, a pass since then compares its bytes."""
    result = await restless.do(Action.VERIFY)
    source = cast(RestlessStore, restless.source)
    assert source.writes > 40
    assert (result["differences"], result["moving"]) == (0, 1)
    certificate = restless.folder.newest("people")
    assert certificate is not None
    assert all(proof.truth_digest == proof.copy_digest for proof in certificate.ranges)
    track = await restless.track()
    found = await Verifier(track, clock=restless.clock).since(certificate.basis)
    assert (found.difference_count, found.moving) == (0, 1)
    source.is_restless = False
    found = await Verifier(track, clock=restless.clock).since(certificate.basis)
    assert (found.compared, found.difference_count, found.moving) == (1, 0, 0)
    plant(cast(MemoryStore, restless.target), KEY, None, lambda content: content | {"name": "Rogue"})
    found = await Verifier(track, clock=restless.clock).since(certificate.basis)
    assert [(each.sort, each.fields) for each in found.differences] == [("differing", ("name",))]


async def test_a_copy_that_does_not_follow_is_found_however_busy_the_record(restless: Scene) -> None:
    """A dead letter holds its versions back: the copy is stale, and said to be."""
    track = await restless.track()
    record = await restless.target.get(PEOPLE, KEY)
    assert record is not None
    unfit = NotRepresentableError(store="tables", kind="people", key=KEY, field="visits", reason="planted")
    await track.queue.hold(record, unfit)
    result = await restless.do(Action.VERIFY)
    assert (result["differences"], result["moving"]) == (1, 0)
    assert result["samples"][0].startswith(f"{KEY} stale")


async def test_a_copy_that_runs_ahead_is_found_however_busy_the_record(restless: Scene) -> None:
    """Somebody gave the copy a version that the truth is far from."""
    plant(cast(MemoryStore, restless.target), KEY, 10_000, lambda content: content | {"name": "Rogue"})
    result = await restless.do(Action.VERIFY)
    assert (result["differences"], result["moving"]) == (1, 0)
    assert result["samples"][0].startswith(f"{KEY} ahead")


async def test_other_content_under_the_version_that_comes_next_is_found(restless: Scene) -> None:
    """What the copy took from nowhere contradicts the truth when it gets there: a dead letter, and stale."""
    source = cast(RestlessStore, restless.source)
    track = await restless.track()
    await track.reach(await source.head(PEOPLE))
    source.is_restless = False
    held = await source.get(PEOPLE, KEY)
    assert held is not None
    next_version = held.version + 1
    plant(cast(MemoryStore, restless.target), KEY, next_version, lambda content: content | {"name": "Rogue"})
    plant(source, KEY, next_version, lambda content: content | {"visits": 7})
    source._drawer(PEOPLE).log.append(Change(KEY, next_version))
    await track.advance()
    for _ in range(DIVERGED_ATTEMPTS - 1):
        await track.retry(whatever_is_due=False)
    source.is_restless = True
    result = await restless.do(Action.VERIFY)
    assert (result["differences"], result["moving"]) == (1, 0)
    assert result["samples"][0].startswith(f"{KEY} stale")


async def test_what_moves_while_writes_wait_refuses_the_cut_over(restless: Scene) -> None:
    """By then nobody may write, so a record that is not met at rest is somebody's doing."""
    await restless.do(Action.VERIFY)
    with pytest.raises(StepRefusedError, match="1 records went on changing while writes waited"):
        await restless.do(Action.CUT_OVER)
    assert (await read_state(restless.people)).takes_writes
    cast(RestlessStore, restless.source).is_restless = False
    assert (await restless.do(Action.CUT_OVER))["phase"] == Phase.DUAL_WRITE_TARGET_READ.value
