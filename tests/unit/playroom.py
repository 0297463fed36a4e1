"""A table to play at, in memory: an account, three profiles, a story, badges, and dice that fall as told."""

import itertools
import random
from collections.abc import Iterable
from typing import Any

import msgspec

from manystore.placement import Leases, Placement
from manystore.records import Content, Kind, Record
from manystore.repository import Repository, Stored
from manystore.stores.memory import MemoryStore
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.accounts.model import Account
from mystira.domain.badges.kind import BADGES
from mystira.domain.badges.model import Badge
from mystira.domain.compass.kind import COMPASS_TRACKINGS
from mystira.domain.compass.model import CompassTracking
from mystira.domain.ids import MakeId
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.domain.profiles.model import UserProfile
from mystira.domain.scenarios.kind import SCENARIOS
from mystira.domain.scenarios.model import Scenario
from mystira.domain.scores.kind import PLAYER_SCENARIO_SCORES
from mystira.domain.scores.model import PlayerScenarioScore
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.domain.sessions.model import Choose, GameSession, NewSession, ReadOn, Roll
from mystira.domain.sessions.play import Play, anybody
from mystira.domain.sessions.starting import Begun, start_session
from mystira.domain.sessions.stories import Stories
from mystira.domain.sessions.use_cases import Step, choose, read_on, roll
from tests.unit.clocks import ManualClock
from tests.unit.household import InterruptibleStore

ADA = "00000000-0000-7000-8000-0000000000a1"
BEN = "00000000-0000-7000-8000-0000000000a2"
MIA = "00000000-0000-7000-8000-0000000000b1"
NOA = "00000000-0000-7000-8000-0000000000b2"
STRANGER = "00000000-0000-7000-8000-0000000000b3"
ABSENT = "00000000-0000-7000-8000-00000000dead"

CALM = "Self-Regulation"
CURIOUS = "Curiosity & Initiative"


class LoadedDice(random.Random):
    """Falls as told, over and over."""

    def __init__(self, *values: int) -> None:
        super().__init__(0)
        self.load(*values)

    def load(self, *values: int) -> None:
        self._values = itertools.cycle(values)

    def randint(self, a: int, b: int) -> int:
        value = next(self._values)
        assert a <= value <= b
        return value


def branch(choice: str, to: str, **more: Any) -> Content:
    return {"choice": choice, "nextScene": to, **more}


def moving(axis: str, delta: float) -> Content:
    return {"compassChange": {"axis": axis, "delta": delta}}


def echoing(echo_type: str, strength: float) -> Content:
    return {
        "echoLog": {"echoType": echo_type, "description": f"{echo_type} {strength}", "strength": strength}
    }


def scene(scene_id: str, scene_type: str = "narrative", **more: Any) -> Content:
    return {
        "id": scene_id,
        "title": scene_id.title(),
        "type": scene_type,
        "description": f"In {scene_id}.",
        **more,
    }


def reveal(echo_type: str, trigger: str, strength: float = 0.5, age: int = 10, **more: Any) -> Content:
    return {
        "echoType": echo_type,
        "minStrength": strength,
        "triggerSceneId": trigger,
        "maxAgeScenes": age,
        **more,
    }


LANTERN: Content = {
    "id": "lantern",
    "title": "The Lost Lantern",
    "ageGroup": "6-9",
    "minimumAge": 6,
    "coreAxes": [CALM],
    "isActive": True,
    "characters": [{"id": "fox", "name": "Fox"}, {"id": "owl", "name": "Owl"}],
    "scenes": [
        scene("gate", nextScene="fork"),
        scene(
            "fork",
            "choice",
            activeCharacter="fox",
            branches=[
                branch("wait", "river", **moving(CALM, 1.0), **echoing("patience", 0.8)),
                branch("run", "river", **moving(CALM, -1.0), **echoing("haste", 0.4)),
                branch("look around again", "fork", **moving(CURIOUS, 0.5)),
            ],
        ),
        scene(
            "river",
            "roll",
            difficulty=12,
            activeCharacter="owl",
            branches=[
                branch("over the stones", "hill", **moving(CURIOUS, 0.6)),
                branch("through the water", "mud", **moving(CALM, 0.3)),
            ],
        ),
        scene("mud", nextScene="hill"),
        scene(
            "hill",
            "choice",
            branches=[
                branch("light it", "home", **moving(CURIOUS, 1.0)),
                branch("leave it", "dark", **moving(CALM, -0.5)),
            ],
            echoReveals=[
                reveal("patience", "hill", 0.5, 2, revealMechanic="mirror", required=True),
                reveal("patience", "home", 0.5, 1),
                reveal("haste", "dark", 0.5),
            ],
        ),
        scene("home", "special"),
        scene("dark", "special"),
    ],
}
"""Gate, a fork that may lead to itself, a river to roll for, a hill, two ends."""


def badge(tier: str, axis: str, score: float, **more: Any) -> Content:
    word = axis.partition(" ")[0].lower()
    named = {"id": f"{word}-{tier}", "ageGroup": "6-9", "axis": axis, "tier": tier}
    return {**named, "title": f"{tier.title()} {axis}", "requiredScore": score, **more}


BADGE_SET: tuple[Content, ...] = (
    badge("silver", CURIOUS, 1.5),
    badge("bronze", CURIOUS, 0.5),
    badge("gold", CURIOUS, 3.0),
    badge("bronze", CALM, 1.0),
    badge("bronze", CALM, 0.1, id="for-others", ageGroup="10-12"),
)


class Playroom:
    """Everything that play needs over one store, a clock that stands still, ids that count, loaded dice."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = InterruptibleStore("documents")
        self.elsewhere = MemoryStore("tables")
        self.dice = LoadedDice(20)
        self.untracked: set[str] = set()
        moving_kinds = (ACCOUNTS, USER_PROFILES, GAME_SESSIONS, PLAYER_SCENARIO_SCORES)
        placements = [Placement(kind=kind, source=self.store, target=self.elsewhere) for kind in moving_kinds]
        placements += [Placement.settled(kind, self.store) for kind in (SCENARIOS, BADGES, COMPASS_TRACKINGS)]
        self.placements = {each.kind.name: each for each in placements}
        self.leases = Leases(placements, node="test", clock=self.clock, lease=36000.0)
        self.maker: MakeId = map("00000000-0000-7000-8000-{:012x}".format, itertools.count(0x1000)).__next__
        self.scenarios = Repository(Scenario, SCENARIOS, self.leases, self.clock)
        self.badges = Repository(Badge, BADGES, self.leases, self.clock)
        self.play = self._play()

    def _play(self) -> Play:
        leases, clock = self.leases, self.clock
        return Play(
            sessions=Repository(GameSession, GAME_SESSIONS, leases, clock),
            scores=Repository(PlayerScenarioScore, PLAYER_SCENARIO_SCORES, leases, clock),
            accounts=Repository(Account, ACCOUNTS, leases, clock),
            profiles=Repository(UserProfile, USER_PROFILES, leases, clock),
            badges=self.badges,
            trackings=Repository(CompassTracking, COMPASS_TRACKINGS, leases, clock),
            stories=Stories(self.scenarios, clock),
            clock=clock,
            dice=self.dice,
            may_track=self._may_track,
            maker=self.maker,
        )

    async def _may_track(self, profile_id: str) -> bool:
        return profile_id not in self.untracked

    async def tell(self, content: Content) -> None:
        """Put a story on the shelf."""
        times = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}
        await self.scenarios.create(msgspec.convert(times | content, Scenario))

    async def change_story(self, scenario_id: str, **changes: object) -> None:
        """What its authors do to a story that is being played."""
        stored = await self.scenarios.get(scenario_id)
        assert stored is not None
        await self.scenarios.change(stored, msgspec.structs.replace(stored.value, **changes))
        self.clock.advance(5.0)

    async def start(
        self, *, scenario: str = "lantern", profile: str = MIA, players: object = None, **more: Any
    ) -> Begun:
        """Begin a story, alone where nobody else is named."""
        asked = {
            "scenarioId": scenario,
            "profileId": profile,
            "players": players or [{"profileId": profile}],
        }
        new = msgspec.convert(asked | more, NewSession)
        return await start_session(self.play, new, ADA, may_play=everybody, may_join=anybody)

    async def session(self, key: str) -> GameSession:
        """The session as it is stored."""
        return (await self.stored(key)).value

    async def stored(self, key: str) -> Stored[GameSession]:
        """The session with its version."""
        stored = await self.play.sessions.get(key)
        assert stored is not None
        return stored

    async def walk(self, key: str, *steps: int | str) -> Step:
        """Take steps from wherever the players are: a branch's number, `on`, or `roll`; the last one."""
        taken = None
        for each in steps:
            at = (await self.session(key)).current_scene_id or ""
            if each == "on":
                taken = await read_on(self.play, key, ReadOn(scene_id=at))
            elif each == "roll":
                taken = await roll(self.play, key, Roll(scene_id=at))
            else:
                taken = await choose(self.play, key, Choose(scene_id=at, branch=int(each)))
        assert taken is not None
        return taken

    async def records(self, kind: Kind) -> list[Record]:
        """All living records of a kind."""
        found = [await self.store.get(kind, each.key) for each in await self._versions(kind)]
        return [record for record in found if record is not None and not record.is_deleted]

    async def _versions(self, kind: Kind) -> Iterable[Any]:
        (whole,) = await self.store.ranges(kind, 1)
        return await self.store.versions(kind, whole, 1000)

    async def badges_of(self, profile_id: str) -> list[str]:
        """The badges of a profile, in the order in which they came."""
        stored = await self.play.profiles.get(profile_id)
        assert stored is not None
        return [each.badge_configuration_id for each in stored.value.earned_badges]


async def everybody(account: Account, scenario: Scenario) -> bool:
    """Access for all."""
    return True


async def open_playroom() -> Playroom:
    """A playroom with two accounts, their profiles, the lantern's story and its badges."""
    room = Playroom()
    await room.store.open()
    await room.elsewhere.open()
    now = room.clock.now()
    for account in (ADA, BEN):
        email = f"{account}@example.org"
        await room.play.accounts.create(Account(id=account, created_at=now, email=email))
    for profile, account, name in ((MIA, ADA, "Mia"), (NOA, ADA, "Noa"), (STRANGER, BEN, "Sam")):
        made = UserProfile(id=profile, created_at=now, account_id=account, name=name)
        await room.play.profiles.create(made)
    await room.tell(LANTERN)
    for each in BADGE_SET:
        times = {"createdAt": "2026-01-01T00:00:00Z"}
        await room.badges.create(msgspec.convert(times | each, Badge))
    return room
