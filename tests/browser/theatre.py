"""A platform in memory behind a real port, with stories that are shipped, and families who come to it."""

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from playwright.async_api import Browser, BrowserContext, Page

from mystira.cli.shipped import ROOT
from mystira.domain.bundles.kind import CONTENT_BUNDLES
from mystira.domain.bundles.model import ContentBundle
from mystira.domain.profiles.model import NewProfile
from mystira.domain.profiles.use_cases import create_profile
from mystira.domain.records import UNDATED, create_record
from mystira.domain.sessions.model import GameSession, NewPlayer, NewSession
from mystira.domain.sessions.play import anybody
from mystira.domain.sessions.reading import read_session
from mystira.domain.sessions.starting import start_session
from mystira.services.play.visits import SIGN_IN
from tests.acceptance.table import allow_to_play
from tests.callers import Member, let_in
from tests.serving import Api, memory_api, served

TRAIN: Final = "the-button-train"
SOLD: Final = "bears-loud-sneeze"
STORIES: Final = (TRAIN, SOLD, "where-is-moon")


class Reader(msgspec.Struct, frozen=True):
    """Somebody who reads, in a family that is signed in."""

    member: Member
    profile_id: str


class Theatre(msgspec.Struct):
    """The platform, its address, and the browser in which families come to it."""

    api: Api
    url: str
    browser: Browser

    async def context(self, member: Member | None = None, **more: Any) -> BrowserContext:
        """A browser of somebody's own, signed in if they are."""
        # Movement takes time, and what fades in is too faint for axe.
        opened = await self.browser.new_context(base_url=self.url, **({"reduced_motion": "reduce"} | more))
        if member is not None:
            place = {"domain": "127.0.0.1", "path": "/play", "httpOnly": True, "sameSite": "Lax"}
            await opened.add_cookies([{"name": SIGN_IN, "value": member.token, **place}])  # type: ignore[typeddict-item]
        return opened

    async def page(self, member: Member | None = None, **more: Any) -> Page:
        """A page in a browser of somebody's own."""
        page = await (await self.context(member, **more)).new_page()
        page.set_default_timeout(10_000)
        return page

    async def reader(self, *, is_allowed: bool = True) -> Reader:
        """Somebody new, four years old, whom a parent has allowed to play unless it says otherwise."""
        platform = self.api.platform
        member = await let_in(platform)
        new = NewProfile(name="Robin", account_id=member.account_id, age_group="3-5")
        made = await create_profile(platform.profiles, platform.accounts, new, clock=platform.clock)
        if is_allowed:
            await allow_to_play(platform, member.account_id, made.key)
        return Reader(member, made.key)

    async def begun(self, reader: Reader, story: str = TRAIN) -> str:
        """The path of a story that the reader has begun."""

        async def may_play(*_: object) -> bool:
            return True

        players = [NewPlayer(profile_id=reader.profile_id)]
        new = NewSession(scenario_id=story, profile_id=reader.profile_id, players=players)
        begun = await start_session(
            self.api.platform.play, new, reader.member.account_id, may_play=may_play, may_join=anybody
        )
        return f"/play/sessions/{begun.stored.key}"

    async def session(self, path: str) -> GameSession:
        """A session as it is stored."""
        return (await read_session(self.api.platform.play.sessions, path.rpartition("/")[2])).value

    async def letter_code(self, page: Page, email: str) -> str:
        """The code of a letter, from the page on which letters are shown."""
        beside = await page.context.new_page()
        try:
            await beside.goto("/mailbox")
            text = await beside.locator("details", has_text=email).first.inner_text()
        finally:
            await beside.close()
        found = re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b", text)
        assert found, text
        return found.group()


@contextlib.asynccontextmanager
async def theatre(browser: Browser) -> AsyncIterator[Theatre]:
    """A theatre with three stories, of which one is sold, and the badges of an age group."""
    async with memory_api() as api, served(api.application, api.settings) as client:
        for story in STORIES:
            sent = (ROOT / "scenarios" / f"{story}.yaml").read_bytes()
            headers = {"Content-Type": "application/yaml", "Idempotency-Key": f"theatre-{story}"}
            answer = await client.post(
                "/admin/api/scenarios", params={"publish": "true"}, content=sent, headers=headers
            )
            assert answer.status_code == 201, answer.text
        badges = (ROOT / "badges" / "3-5.yaml").read_bytes()
        headers = {"Content-Type": "application/yaml"}
        answer = await client.post("/admin/api/badge-sets", content=badges, headers=headers)
        assert answer.is_success, answer.text
        sold = ContentBundle(id="sold", created_at=UNDATED, title="Sold", scenario_ids=[SOLD])
        await create_record(api.platform.repository(ContentBundle, CONTENT_BUNDLES), sold)
        yield Theatre(api, str(client.base_url).rstrip("/"), browser)
