"""A story on the shelf of a running platform, and families that sit down to play it over HTTP."""

import asyncio
import uuid
from typing import Any

import httpx
import msgspec

from manystore.records import Content
from mystira.domain.badges.kind import BADGES
from mystira.domain.badges.model import Badge
from mystira.domain.consents.kind import PARENTAL_CONSENTS
from mystira.domain.consents.model import ConsentStatus, ParentalConsent, Purpose
from mystira.domain.records import create_record
from mystira.domain.scenarios.kind import SCENARIOS
from mystira.domain.scenarios.model import Scenario
from mystira.platform import Platform
from tests.serving import Api
from tests.unit.playroom import CALM, CURIOUS, branch, moving, scene

Body = dict[str, Any]

STONES: Content = {
    "title": "The Stepping Stones",
    "ageGroup": "6-9",
    "minimumAge": 6,
    "coreAxes": [CALM],
    "isActive": True,
    "characters": [{"id": "heron", "name": "Heron"}],
    "scenes": [
        scene("bank", nextScene="stones"),
        scene(
            "stones",
            "choice",
            activeCharacter="heron",
            branches=[
                branch("wait for the fish", "home", **moving(CALM, 1.0)),
                branch("look under them", "stones", **moving(CURIOUS, 0.5)),
                branch("jump", "splash", **moving(CALM, -0.5)),
            ],
        ),
        scene("splash", "roll", difficulty=1, branches=[branch("swim", "home"), branch("sink", "home")]),
        scene("home", "special"),
    ],
}
"""A story that is over after two steps."""


BRONZE: Content = {
    "createdAt": "2026-01-01T00:00:00Z",
    "ageGroup": "6-9",
    "tier": "bronze",
    "title": "Calm Waters",
    "requiredScore": 1.0,
}


class Family(msgspec.Struct):
    """An account with a profile, a story of its own, and the badge that staying calm in it brings."""

    api: Api
    account: str
    profile: str
    scenario: str
    badge: str

    async def post(self, path: str, content: object = None) -> httpx.Response:
        return await self.api.client.post(f"/api/v1/sessions/{path}", json=content)

    async def start(self, **more: Any) -> Body:
        """Begin the story, or go on with it."""
        asked = {
            "scenarioId": self.scenario,
            "profileId": self.profile,
            "accountId": self.account,
            "players": [{"profileId": self.profile, "characterId": "heron"}],
        }
        answer = await self.api.client.post("/api/v1/sessions", json=asked | more)
        assert answer.status_code in (200, 201), answer.text
        body: Body = answer.json()
        return body

    async def at_the_stones(self) -> str:
        """A session in which the next thing to do is to choose."""
        key: str = (await self.start())["id"]
        answer = await self.post(f"{key}/read-on", {"sceneId": "bank"})
        assert answer.status_code == 200, answer.text
        return key

    async def read(self, path: str) -> Body:
        answer = await self.api.client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.text
        body: Body = answer.json()
        return body

    async def badges(self) -> list[str]:
        """What the profile has earned, in the order in which it came."""
        found = await self.read(f"profiles/{self.profile}/badges")
        return [each["badgeConfigurationId"] for each in found["earned"]]

    async def scores(self) -> list[Body]:
        items: list[Body] = (await self.read(f"profiles/{self.profile}/scores"))["items"]
        return items


async def shelve(platform: Platform, content: Content) -> str:
    """Put a story on the shelf under an id of its own."""
    key = f"story-{uuid.uuid4().hex}"
    made = {"createdAt": "2026-01-01T00:00:00Z", **content, "id": key}
    await platform.repository(Scenario, SCENARIOS).create(msgspec.convert(made, Scenario))
    return key


async def allow_to_play(platform: Platform, account_id: str, profile_id: str) -> None:
    """Have a parent's consent to a child's playing, as if by a code."""
    now = platform.clock.now()
    consent = ParentalConsent(
        id=str(uuid.uuid4()),
        created_at=now,
        updated_at=now,
        child_profile_id=profile_id,
        account_id=account_id,
        status=ConsentStatus.VERIFIED,
        scope=[Purpose.PLAY.value],
    )
    await create_record(platform.repository(ParentalConsent, PARENTAL_CONSENTS), consent)


async def sit_down(api: Api) -> Family:
    """A family of its own, whose child may play, with a story of its own; the badge is the shelf's, and the
    same for all.
    """
    account, scenario = await api.sign_up(), await shelve(api.platform, STONES)
    profile = await api.make_profile(accountId=account["id"])
    await allow_to_play(api.platform, account["id"], profile["id"])
    badges = api.platform.repository(Badge, BADGES)
    for badge_id, axis in (("calm-bronze", CALM), ("curious-bronze", CURIOUS)):
        if await badges.get(badge_id) is None:
            await badges.create(msgspec.convert(BRONZE | {"id": badge_id, "axis": axis}, Badge))
    return Family(api, account["id"], profile["id"], scenario, "calm-bronze")


async def until_badges(family: Family, count: int) -> list[str]:
    """Wait for what follows by itself."""
    async with asyncio.timeout(15):
        while len(badges := await family.badges()) < count:
            await asyncio.sleep(0.05)
    return badges
