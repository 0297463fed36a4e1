"""The verifier is itself tested by mutation: on each product, each side, in each depth.

A mutation is made below the engine, where no log tells of it: on the disk, or by handing a store what it is
then to hold. What a depth can see of it:

full        every byte of both sides, so everything; it alone issues a certificate
versions    keys and versions, and what is deleted, so not what differs under one version
since       every byte of what was written since the certificate, so nothing of what was not
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec
import pytest

from manystore.moves.tasks import Action
from manystore.records import Content, Record
from manystore.stores.memory import MemoryStore
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from manystore.stores.sqlite.outsiders import CLOSE_GATE, OPEN_GATE
from manystore.stores.store import Store
from manystore.testing.samples import PEOPLE
from tests.contract.postgres_tables import MAPPINGS, clear
from tests.contract.sqlite_by_hand import by_hand
from tests.faults.clean_runs import UNTOUCHED, Unhurried, alarms_in, certified_scene
from tests.unit.moving import Scene, adopt, memory_scene, person

COUNT: Final = 12
KEY: Final = person(3).id
GONE: Final = person(6).id
PAIR: Final = (person(4).id, person(5).id)
STRAY: Final = person(99).id


class Disk(msgspec.Struct, frozen=True):
    """What can be done to a store where it lies, without a trace in its log."""

    drop: Callable[[str], Awaitable[None]]
    flip: Callable[[str], Awaitable[None]]


def _in_memory(store: MemoryStore) -> Disk:
    drawer = store._drawer(PEOPLE)

    async def drop(key: str) -> None:
        drawer.held.pop(key, None)
        drawer.claims = {claim: holder for claim, holder in drawer.claims.items() if holder != key}

    async def flip(key: str) -> None:
        held = drawer.held[key]
        assert held.body is not None
        drawer.held[key] = msgspec.structs.replace(held, body=held.body.replace(b'"Person', b'"Qerson'))

    return Disk(drop, flip)


def _in_sqlite(path: Path) -> Disk:
    async def run(*statements: str, key: str) -> None:
        with by_hand(path) as connection:
            connection.execute("begin immediate")
            connection.execute(OPEN_GATE)
            for statement in statements:
                connection.execute(statement, (PEOPLE.name, key))
            connection.execute(CLOSE_GATE)
            connection.execute("commit")

    async def drop(key: str) -> None:
        rows = (f"delete from {table} where kind = ? and key = ?" for table in ("documents", "claims"))
        await run(*rows, key=key)

    async def flip(key: str) -> None:
        flipped = """replace(body, '"Person', '"Qerson')"""
        await run(f"update documents set body = {flipped} where kind = ? and key = ?", key=key)

    return Disk(drop, flip)


def _in_postgres(url: str) -> Disk:
    async def run(*statements: str, key: str) -> None:
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction():
                await connection.execute("set local session_replication_role = replica")
                for statement in statements:
                    await connection.execute(statement.replace(":key", f"'{key}'"))
        finally:
            await connection.close()

    async def drop(key: str) -> None:
        parts = (f"delete from {part} where person_id = :key" for part in ("addresses", "nicknames", "pets"))
        stone = "delete from manystore.tombstones where kind = 'people' and key = :key"
        await run(*parts, stone, "delete from people where id = :key", key=key)

    async def flip(key: str) -> None:
        await run("update people set name = replace(name, 'Person', 'Qerson') where id = :key", key=key)

    return Disk(drop, flip)


class Stage(msgspec.Struct):
    """A kind under way from one store to the other, and the disk below each."""

    scene: Scene
    disks: dict[str, Disk]

    def store(self, side: str) -> Store:
        return self.scene.source if side == "truth" else self.scene.target

    async def touch(self, visits: int) -> None:
        """Write every record but the stray one by the engine, so that the truth's log tells of it."""
        people = self.scene.repository()
        for key in (KEY, *PAIR):
            stored = await people.get(key)
            assert stored is not None
            await people.change(stored, msgspec.structs.replace(stored.value, visits=visits))
        await people.delete(await people.create(person(6)))

    async def mutate(self, side: str, mutation: "Mutation") -> dict[str, Record | None]:
        """Make one side wrong; what it held before where that was done."""
        held = await self.store(side).get_many(PEOPLE, [KEY, GONE, *PAIR])
        if mutation.alter is None:
            await getattr(self.disks[side], mutation.on_disk)(KEY)
            return {KEY: held[KEY]}
        altered = mutation.alter(held)
        await self.hold(side, altered)
        return {key: held.get(key) for key in altered}

    async def hold(self, side: str, records: Mapping[str, Record | None]) -> None:
        """Have a store hold these and nothing else under their keys."""
        for key in records:
            await self.disks[side].drop(key)
        await self.store(side).apply(PEOPLE, [record for record in records.values() if record])

    async def found(self, depth: Any) -> tuple[list[str], str | None]:
        """What a verification names, and its certificate."""
        result = await self.scene.mover.carry_out(Action.VERIFY, "people", depth=depth)
        assert result["depth"] == depth
        assert result["differences"] == len(result["samples"])
        return result["samples"], result["certificate"]


@contextlib.asynccontextmanager
async def _between(folder: Path, url: str, twin_url: str, source: str, target: str) -> AsyncIterator[Scene]:
    made: dict[str, Store] = {
        "sqlite": SqliteStore(folder / "documents.db"),
        "postgres": PostgresStore(url, MAPPINGS),
        "twin": PostgresStore(twin_url, MAPPINGS, "twin"),
    }
    for each in (url, twin_url):
        await clear(each)
    for store in made.values():
        await store.open()
    yield Scene(made[source], made[target], folder)
    for store in made.values():
        await store.close()


@pytest.fixture(params=["memory", "sqlite to postgres", "postgres to sqlite", "postgres to twin"])
async def stage(
    request: pytest.FixtureRequest, sample_database: str, sample_twin: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """Both sides filled and equal: some records changed, one deleted."""
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "memory":
            scene = await stack.enter_async_context(memory_scene(tmp_path))
            assert isinstance(scene.source, MemoryStore)
            assert isinstance(scene.target, MemoryStore)
            disks = {"truth": _in_memory(scene.source), "copy": _in_memory(scene.target)}
        else:
            source, _, target = request.param.split()
            scene = await stack.enter_async_context(
                _between(tmp_path, sample_database, sample_twin, source, target)
            )
            below = {
                "sqlite": _in_sqlite(tmp_path / "documents.db"),
                "postgres": _in_postgres(sample_database),
                "twin": _in_postgres(sample_twin),
            }
            disks = {"truth": below[source], "copy": below[target]}
        await adopt(scene.source, COUNT)
        people = scene.repository()
        for number in range(0, COUNT, 3):
            stored = await people.get(person(number).id)
            assert stored is not None
            await people.change(stored, msgspec.structs.replace(stored.value, visits=number))
        gone = await people.get(GONE)
        assert gone is not None
        await people.delete(gone)
        await scene.do(Action.START)
        yield Stage(scene, disks)


class Mutation(msgspec.Struct, frozen=True):
    """What is done to one side, how it is named where that is the copy or the truth; do versions tell?"""

    copy: list[str]
    truth: list[str]
    changes_versions: bool = False
    alter: Callable[[dict[str, Record]], dict[str, Record]] | None = None
    on_disk: str = ""


def _with(version: int | None = None, **fields: Any) -> Callable[[dict[str, Record]], dict[str, Record]]:
    def alter(held: dict[str, Record]) -> dict[str, Record]:
        before = held[KEY]
        content = {**(before.content or {}), **fields}
        return {KEY: Record(KEY, before.version if version is None else version, content)}

    return alter


def _drifted(held: dict[str, Record]) -> dict[str, Record]:
    visits = (held[KEY].content or {})["visits"]
    assert isinstance(visits, int)
    return _with(visits=float(visits))(held)


def _resurrected(held: dict[str, Record]) -> dict[str, Record]:
    return {GONE: Record(GONE, held[GONE].version, msgspec.to_builtins(person(6)))}


def _swapped(held: dict[str, Record]) -> dict[str, Record]:
    def moved(key: str, other: str) -> Record:
        content: Content = {**(held[other].content or {}), "id": key}
        return Record(key, held[key].version, content)

    one, other = PAIR
    return {one: moved(one, other), other: moved(other, one)}


def _added(held: dict[str, Record]) -> dict[str, Record]:
    content = {**(held[KEY].content or {}), "id": STRAY, "email": "twice@example.org"}
    return {STRAY: Record(STRAY, held[KEY].version, content)}


def _both(named: str) -> list[str]:
    return [f"{KEY} {named}"]


_SWAPPED: Final = [f"{key} differing in email, name, shoeSize" for key in PAIR]
MUTATIONS: Final[dict[str, Mutation]] = {
    "drop": Mutation(_both("missing"), _both("extra"), changes_versions=True, on_disk="drop"),
    "stale": Mutation(_both("stale in visits"), _both("ahead in visits"), True, _with(0, visits=0)),
    "resurrect": Mutation([f"{GONE} differing in $"], [f"{GONE} differing in $"], True, _resurrected),
    "swap": Mutation(_SWAPPED, _SWAPPED, False, _swapped),
    "truncate": Mutation(_both("differing in name"), _both("differing in name"), False, _with(name="P")),
    "type drift": Mutation(_both("differing in visits"), _both("differing in visits"), False, _drifted),
    "rogue write": Mutation(_both("ahead in name"), _both("stale in name"), True, _with(7, name="Rogue")),
    "duplicate": Mutation([f"{STRAY} extra"], [f"{STRAY} missing"], True, _added),
    "one flipped byte": Mutation(_both("differing in name"), _both("differing in name"), on_disk="flip"),
}


@pytest.mark.parametrize("side", ["truth", "copy"])
@pytest.mark.parametrize("name", MUTATIONS)
async def test_each_mutation_is_named_by_each_depth_that_can_see_it(
    stage: Stage, name: str, side: str
) -> None:
    """To the record and the field, and without a certificate; undone, there is nothing left to name."""
    mutation = MUTATIONS[name]
    named = mutation.copy if side == "copy" else mutation.truth
    samples, certificate = await stage.found("full")
    assert (samples, certificate is None) == ([], False)
    before = await stage.mutate(side, mutation)
    assert await stage.found("since") == ([], None)
    assert await stage.found("versions") == (named if mutation.changes_versions else [], None)
    assert await stage.found("full") == (named, None)
    await stage.hold(side, before)
    # What was written since is looked at to the byte.
    await stage.touch(visits=77)
    assert await stage.found("since") == ([], None)
    before = await stage.mutate(side, mutation)
    assert await stage.found("since") == (named if STRAY not in before else [], None)
    await stage.hold(side, before)
    samples, certificate = await stage.found("full")
    assert (samples, certificate is None) == ([], False)


async def test_clean_runs_under_writes_raise_no_alarm(tmp_path: Path) -> None:
    """While others write, each depth finds nothing wrong; a thousand times in `make prove ARGS=verifier`."""
    async with certified_scene(tmp_path) as scene:
        assert await alarms_in(scene, range(30)) == []


async def test_a_loss_among_writes_raises_one(tmp_path: Path) -> None:
    """The runs above would not overlook a record that is gone: both depths that can see it name it."""
    async with certified_scene(tmp_path) as scene:
        assert isinstance(scene.target, Unhurried)
        lost = person(UNTOUCHED).id
        await _in_memory(scene.target.store).drop(lost)
        alarms = await alarms_in(scene, range(3))
    assert alarms == [f"seed 0, full: {lost} missing", f"seed 1, versions: {lost} missing"]
