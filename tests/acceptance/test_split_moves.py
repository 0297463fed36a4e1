"""A kind moved from documents to its split home and back, while it is written, with nothing lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from manystore.moves.tasks import Action
from manystore.placement import Phase, read_state
from manystore.stores.postgres import PostgresStore
from manystore.stores.split import Split, SplitStore
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import KeyRange
from manystore.testing.samples import PEOPLE
from tests.contract.postgres_tables import MAPPINGS, clear, prepare
from tests.unit.moving import Scene, adopt
from tests.unit.witness import Witness, stop

SPLIT: Final = Split(kind=PEOPLE, rest=("name", "visits", "nicknames", "extra"))


@pytest_asyncio.fixture(scope="module")
async def database(postgres_database: str) -> str:
    """A database with the tables of the sample kinds."""
    await prepare(postgres_database)
    return postgres_database


class SplitScene(Scene):
    """People in documents, who may move to where their core is in tables, and the rest in the documents."""

    def __init__(self, documents: SqliteStore, tables: PostgresStore, folder: Path) -> None:
        self.documents, self.tables = documents, tables
        self.split = SplitStore(tables, documents, [SPLIT])
        super().__init__(documents, self.split, folder)


@pytest.fixture
async def scene(tmp_path: Path, database: str) -> AsyncIterator[SplitScene]:
    await clear(database)
    documents, tables = SqliteStore(tmp_path / "documents.sqlite"), PostgresStore(database, MAPPINGS)
    async with contextlib.AsyncExitStack() as stack:
        for store in (documents, tables):
            stack.push_async_callback(store.close)
            await store.open()
        yield SplitScene(documents, tables, tmp_path / "certificates")


async def _stray_parts(scene: SplitScene) -> list[str]:
    """Keys of sheets that hold something else than the one part that the core points to."""
    stray = []
    for sheet in await scene.documents.scan(SPLIT.rest_kind, KeyRange(), 5_000):
        core = await scene.tables.get(SPLIT.core_kind, sheet.key)
        held = [] if sheet.content is None else [part["digest"] for part in sheet.content["parts"]]
        named = [] if core is None or core.content is None else [core.content["_rest"]]
        if held != named:
            stray.append(sheet.key)
    return stray


async def test_a_move_to_the_split_home_and_back_and_there_again_loses_nothing(scene: SplitScene) -> None:
    """Two nodes write through every step; both halves of each acknowledged write are there at the end."""
    await adopt(scene.documents, 1_000)
    witnesses = [Witness(scene, f"node-{number}", number) for number in (2, 3)]
    async with scene.working():
        writing = [asyncio.create_task(each.write_on(pause=0.02)) for each in witnesses]
        planned = await scene.do(Action.PLAN)
        assert (planned["copy"], planned["findings"], planned["isClear"]) == ("split", (), True)
        started = await scene.do(Action.START)
        assert (started["records"] >= 1_000, started["queued"]) == (True, 0)
        for there in (True, False, True):
            verified = await scene.do(Action.VERIFY)
            assert (verified["differences"], verified["samples"]) == (0, [])
            await scene.do(Action.CUT_OVER if there else Action.CUT_BACK)
            await asyncio.sleep(0.3)
        await stop(writing)
        assert (await read_state(scene.people)).phase is Phase.DUAL_WRITE_TARGET_READ
        assert (await scene.do(Action.VERIFY))["differences"] == 0
    assert sum(len(witness.seen) for witness in witnesses) > 20
    for witness in witnesses:
        assert await witness.compare() == []
        assert witness.people.counters.fallback_reads == 0
    swept = await scene.split.sweep(PEOPLE)
    assert (swept.lost_count, swept.altered_count) == (0, 0)
    assert await _stray_parts(scene) == []


async def test_verification_names_what_others_did_to_a_part(scene: SplitScene) -> None:
    """A part that is changed, or gone, is a difference with its fields, and no certificate is issued."""
    first, second, *_ = await adopt(scene.documents, 20)
    async with scene.working():
        await scene.do(Action.START)
        for key, change in ((first.key, "by a stranger"), (second.key, None)):
            sheet = await scene.documents.get(SPLIT.rest_kind, key)
            assert sheet is not None
            assert sheet.content is not None
            parts = [] if change is None else sheet.content["parts"]
            for part in parts:
                part["content"]["name"] = change
            altered = sheet.content | {"parts": parts}
            await scene.documents.apply(SPLIT.rest_kind, [type(sheet)(key, sheet.version + 1, altered)])
        verified = await scene.do(Action.VERIFY)
    assert (verified["differences"], verified["certificate"]) == (2, None)
    described = "\n".join(verified["samples"])
    assert all(word in described for word in (first.key, second.key, "name", "visits"))
