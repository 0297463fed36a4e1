"""Cleaning up a split kind by the Admin API, piece by piece."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest

from manystore.clock import Clock, SystemClock
from manystore.errors import UnavailableError
from manystore.records import Record
from manystore.stores.memory import MemoryStore
from manystore.stores.split import SplitStore
from manystore.stores.store import Store
from mystira.cli.store import _swept
from mystira.domain.ids import make_id
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.gateways.outside import memory_outside
from mystira.placement import PROFILES_SPLIT
from mystira.platform import Platform
from mystira.serve.api import compose
from mystira.settings import Settings
from tests.refusals import check_problem
from tests.serving import direct

SWEEP = "/admin/api/sweep/user_profiles"


class HurryingClock(SystemClock):
    """To who measures time by it, each look takes two seconds: no request has any for a second page."""

    def __init__(self) -> None:
        self._looks = 0

    def monotonic(self) -> float:
        self._looks += 1
        return 2.0 * self._looks


class Scene(msgspec.Struct):
    """A platform in memory whose profiles have the split home to move to, asked by its Admin API."""

    platform: Platform
    documents: MemoryStore
    client: httpx.AsyncClient

    @property
    def split(self) -> SplitStore:
        """Where profiles lie in two."""
        target = self.platform.placement("user_profiles").target
        assert isinstance(target, SplitStore)
        return target

    async def ask(self, **sent: Any) -> dict[str, Any]:
        """A part of a sweep."""
        answer = await self.client.post(SWEEP, json=sent)
        assert answer.status_code == 200, answer.text
        part: dict[str, Any] = answer.json()
        return part


@contextlib.asynccontextmanager
async def _scene(clock: Clock) -> AsyncIterator[Scene]:
    documents, tables = MemoryStore("documents"), MemoryStore("postgres")
    await documents.open()
    await tables.open()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_folder=Path(folder), profiles_home="split")
        platform = Platform(settings, documents, tables, node="test", clock=clock)
        application = compose(platform, memory_outside(clock), {})
        async with direct(application, settings) as client:
            yield Scene(platform, documents, client)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with _scene(SystemClock()) as scene:
        yield scene


async def _fill(scene: Scene, count: int) -> list[str]:
    keys = [make_id() for _ in range(count)]
    profiles = [Record(key, 1, {"id": key, "name": "Robin", "bio": f"of {key}"}) for key in keys]
    await scene.split.apply(USER_PROFILES, profiles)
    return sorted(keys)


async def test_a_sound_kind_is_swept_in_one_answer(scene: Scene) -> None:
    """All was looked at, nothing had to go, and there is no more to do."""
    await _fill(scene, 3)
    part = await scene.ask()
    assert (part["kind"], part["sheets"], part["records"]) == ("user_profiles", 3, 3)
    assert (part["pruned"], part["lost"], part["altered"], part["continuation"]) == (0, [], [], None)


async def test_parts_that_are_not_sound_are_named(scene: Scene) -> None:
    """One is gone and one was changed by somebody else; each by its key, and in words for a person."""
    gone, changed, _ = await _fill(scene, 3)
    scene.documents.write_behind(PROFILES_SPLIT.rest_kind, gone, None)
    sheet = await scene.documents.get(PROFILES_SPLIT.rest_kind, changed)
    assert sheet is not None
    assert sheet.content is not None
    sheet.content["parts"][0]["content"]["bio"] = "by a stranger"
    scene.documents.write_behind(PROFILES_SPLIT.rest_kind, changed, sheet.content)
    part = await scene.ask()
    assert (part["lost"], part["lostCount"], part["altered"], part["alteredCount"]) == (
        [gone],
        1,
        [changed],
        1,
    )
    shown = [str(line) for line in _swept(part)]
    assert len(shown) == 3
    assert gone in shown[1]
    assert changed in shown[2]


async def test_a_long_sweep_goes_on_where_it_was() -> None:
    """Each answer has a page where time is up after it, and with the continuations all was looked at once."""
    async with _scene(HurryingClock()) as scene:
        await _fill(scene, 700)
        parts = [await scene.ask()]
        while parts[-1]["continuation"] is not None:
            parts.append(await scene.ask(continuation=parts[-1]["continuation"]))
    assert len(parts) > 3
    assert sum(part["sheets"] for part in parts) == 700
    assert sum(part["records"] for part in parts) == 700


class Dying:
    """A core whose writers die before it hears of their write."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def put(self, *_: Any, **__: Any) -> Record:
        raise UnavailableError(subject="the writer", reason="it died")


async def test_what_died_writers_left_goes(scene: Scene) -> None:
    """A part that no record points to, nor ever can, is taken off its sheet, once."""
    (key,) = await _fill(scene, 1)
    tables = scene.platform.tables
    dying = SplitStore(cast(Store, Dying(tables)), scene.documents, [PROFILES_SPLIT])
    content = {"id": key, "name": "Robin", "bio": "of a writer that died"}
    with pytest.raises(UnavailableError):
        await dying.put(USER_PROFILES, key, content, expected=1, epoch=1)
    core = await tables.get(PROFILES_SPLIT.core_kind, key)
    assert core is not None
    await tables.apply(PROFILES_SPLIT.core_kind, [Record(key, 2, core.content)])
    assert [(await scene.ask())["pruned"] for _ in range(2)] == [1, 0]


async def test_what_cannot_be_swept_is_refused(scene: Scene) -> None:
    """A kind that lies whole in its stores, one that nobody knows, and a place that nobody handed out."""
    whole = check_problem(await scene.client.post("/admin/api/sweep/accounts"))
    assert (whole["code"], "accounts is not split here" in whole["detail"]) == ("not_found", True)
    assert check_problem(await scene.client.post("/admin/api/sweep/dragons"))["code"] == "unknown_kind"
    for mark in ("?", "bm9uc2Vuc2U="):
        strange = check_problem(await scene.client.post(SWEEP, json={"continuation": mark}))
        assert (strange["code"], strange["path"]) == ("invalid_continuation", "continuation")
