"""The stories that are shipped, brought to a platform: once, again, changed, and at a first start."""

import asyncio
import contextlib
import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from manystore.stores.memory import MemoryStore
from mystira.cli.content_import import Brought
from mystira.cli.first_stories import FirstStories, StoriesAbsent, StoriesSeeded
from mystira.cli.seeding import Seeding
from mystira.clients.content import ContentClient
from mystira.clients.service import Service
from mystira.clients.service_key import find_service_key
from mystira.clients.service_tokens import ServiceCredentials
from mystira.domain.scenarios.story_form import AGE_GROUPS
from mystira.servers.logs import Log
from mystira.servers.processes import Program, start
from mystira.settings import Settings
from mystira.supervisor import PlatformReady
from tests.commands import command
from tests.platform_process import gone
from tests.serving import Api, memory_api, served

STORY = "/admin/api/scenarios/nine-lanterns-at-willow-market"


class Place:
    """A platform in memory behind a port, its content client, and a plain one."""

    def __init__(self, api: Api, content: ContentClient, http: httpx.AsyncClient) -> None:
        self.api, self.content, self.http = api, content, http

    @property
    def ready(self) -> PlatformReady:
        """What a supervisor tells once it is up."""
        folder = str(self.api.settings.data_folder)
        return PlatformReady(address=str(self.http.base_url).rstrip("/"), data_folder=folder, seconds=1.0)

    async def seed(self, *, replace: bool) -> list[Brought]:
        """Bring everything, and tell what became of it."""
        seeding = Seeding(self.content, replace=replace)
        return [item async for some in seeding.run() for item in some]

    async def get(self, path: str) -> Any:
        """What the platform answers."""
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextlib.asynccontextmanager
async def place(documents: MemoryStore | None = None) -> AsyncIterator[Place]:
    """An empty platform."""
    async with memory_api(documents) as api, served(api.application, api.settings) as http:
        key = ServiceCredentials(find_service_key(api.settings))
        async with Service.at(str(http.base_url), key) as service:
            yield Place(api, ContentClient(service), http)


def _outcomes(items: list[Brought]) -> set[str]:
    return {item.outcome for item in items}


async def test_everything_is_there_afterwards() -> None:
    """Published stories, bundles, badges and avatars for every age, words, and the pictures they name."""
    async with place() as platform:
        items = await platform.seed(replace=True)
        assert _outcomes(items) <= {"created", "changed"}
        stories = await platform.content.stories()
        assert len(stories) >= 8
        assert all(story["isActive"] for story in stories)
        bundles = await platform.content.bundles()
        assert sorted(bundle["isFree"] for bundle in bundles) == [False, False, True]
        assert {key for bundle in bundles for key in bundle["scenarioIds"]} == {s["id"] for s in stories}
        for group in AGE_GROUPS:
            assert await platform.content.has_badges(group)
        avatars = (await platform.get("/admin/api/avatars"))["items"]
        assert {each["ageGroup"] for each in avatars} == set(AGE_GROUPS)
        for media in {media for each in avatars for media in each["mediaIds"]}:
            assert (await platform.get(f"/admin/api/media/{media}"))["mimeType"] == "image/png"


async def test_done_again_it_changes_nothing() -> None:
    """No record has another version than before, whichever way it is done."""
    documents = MemoryStore("documents")
    async with place(documents) as platform:
        first = await platform.seed(replace=True)
        versions = await _versions(documents, platform.api)
        assert sum(versions.values()) == len(versions) > 200
        for replace in (True, False):
            again = await platform.seed(replace=replace)
            assert _outcomes(again) == {"unchanged"}
            assert Counter(item.what for item in again) == Counter(item.what for item in first)
            assert await _versions(documents, platform.api) == versions


async def _versions(documents: MemoryStore, api: Api) -> dict[tuple[str, str], int]:
    """The version of every record of content."""
    found: dict[tuple[str, str], int] = {}
    names = ("scenarios", "content_bundles", "media_assets", "badges", "axis_achievements")
    more = (
        "avatar_configurations",
        "compass_axes",
        "archetypes",
        "echo_types",
        "fantasy_themes",
        "age_groups",
    )
    for name in (*names, *more):
        kind = api.platform.leases.placement(name).kind
        (whole,) = await documents.ranges(kind, 1)
        for each in await documents.versions(kind, whole, 1000):
            found[name, each.key] = each.version
    return found


async def test_what_differs_is_replaced_or_kept_as_is_wished() -> None:
    """A title that staff changed stays with --keep; else the story gets a new version, as shipped."""
    async with place() as platform:
        await platform.seed(replace=True)
        shipped = (await platform.get(STORY))["title"]
        change = await platform.http.patch(STORY, json={"title": "Ten Lanterns"}, headers={"If-Match": "*"})
        before = change.headers["ETag"]
        kept = await platform.seed(replace=False)
        assert {item.item.rpartition("/")[2] for item in kept if item.outcome == "exists"} == {
            "nine-lanterns.yaml"
        }
        assert (await platform.get(STORY))["title"] == "Ten Lanterns"
        replaced = await platform.seed(replace=True)
        assert [item.id for item in replaced if item.outcome == "replaced"] == [STORY.rpartition("/")[2]]
        answer = await platform.http.get(STORY)
        assert answer.json()["title"] == shipped
        assert answer.headers["ETag"] != before


async def test_avatars_that_differ_are_replaced_or_kept() -> None:
    """As stories are."""
    async with place() as platform:
        await platform.seed(replace=True)
        path = "/admin/api/avatars/avatars-6-9"
        await platform.http.patch(path, json={"mediaIds": ["pip"]}, headers={"If-Match": "*"})
        kept = await platform.seed(replace=False)
        assert [item.id for item in kept if item.outcome == "exists"] == ["avatars-6-9"]
        assert (await platform.get(path))["mediaIds"] == ["pip"]
        replaced = await platform.seed(replace=True)
        assert [item.id for item in replaced if item.outcome == "replaced"] == ["avatars-6-9"]
        assert len((await platform.get(path))["mediaIds"]) > 1


async def _start(platform: Place, **settings: Any) -> list[StoriesSeeded | StoriesAbsent]:
    """What a start tells of stories."""
    told: list[StoriesSeeded | StoriesAbsent] = []
    wanted = platform.api.settings.model_copy(update=settings)
    async with FirstStories(wanted, told.append) as first:
        first.hear(platform.ready)
        await first.done()
    return told


async def test_the_first_start_brings_the_stories_and_the_next_one_nothing() -> None:
    """A platform that has a bundle is nobody's to seed; not even where staff withdrew a story since."""
    async with place() as platform:
        (told,) = await _start(platform)
        assert isinstance(told, StoriesSeeded)
        assert told.stories == len(await platform.content.stories()) >= 8
        await platform.content.step(STORY.rpartition("/")[2], "withdraw")
        assert await _start(platform) == []
        assert not (await platform.get(STORY))["isActive"]


@pytest.mark.parametrize("settings", [{"seed_stories": False}, {"cosmos_url": "https://account.example/"}])
async def test_no_start_brings_stories_where_none_are_wanted(settings: dict[str, Any]) -> None:
    """Where the setting says no, and where the documents are not the platform's own."""
    async with place() as platform:
        assert await _start(platform, **settings) == []
        assert await platform.content.stories() == []


async def test_a_start_that_was_cut_short_is_finished_by_the_next_one() -> None:
    """Whatever was there already: the bundles come last."""
    async with place() as platform:
        seeding = Seeding(platform.content, replace=False)
        steps = seeding.run()
        for _ in range(30):
            await anext(steps)
        await steps.aclose()
        (told,) = await _start(platform)
        assert isinstance(told, StoriesSeeded)
        assert _outcomes(await platform.seed(replace=False)) == {"unchanged"}


async def test_a_start_says_why_there_are_no_stories() -> None:
    """And goes on: nothing is raised."""
    async with place() as platform:
        gone_away = platform.ready
    told: list[StoriesSeeded | StoriesAbsent] = []
    async with FirstStories(Settings(data_folder=Path(gone_away.data_folder)), told.append) as first:
        first.hear(gone_away)
        await first.done()
    (absent,) = told
    assert isinstance(absent, StoriesAbsent)
    assert gone_away.address in absent.reason
    assert "mystira seed" in absent.sentence


@pytest.mark.slow
async def test_a_platform_as_people_start_it_has_stories(tmp_path: Path) -> None:
    """`mystira up` tells so once it is up, and `mystira seed` finds nothing left to do."""
    folder, log = tmp_path / "data", tmp_path / "up.log"
    words = (sys.executable, "-m", "mystira", "up", "--json", "--port", "0", "--data-folder", str(folder))
    process = await start(Program(name="up", command=words), Log(log))
    try:
        async with asyncio.timeout(120):
            while not (events := _events(log, "StoriesSeeded")):
                assert process.returncode is None, log.read_text(encoding="utf-8")
                await asyncio.sleep(0.1)
        assert events[0]["stories"] >= 8
        told = await command("seed", "--json", folder=folder)
        assert told.code == 0, told.notes
        assert {item["outcome"] for item in told.document["items"]} == {"unchanged"}
        shown = await command("seed", folder=folder)
        assert "unchanged" in shown.output
    finally:
        await process.stop((signal.SIGTERM, 30.0))
    await gone(folder)


def _events(log: Path, name: str) -> list[Any]:
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    events = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return [event for event in events if event["event"] == name]
