"""Claim: of 100 choices a second, on two cores, 99 in a hundred are answered within 50 ms.

A platform is started as `mystira up` does it, with its embedded servers, one process that serves the APIs and
one worker, and the stories that are shipped. Families are signed in and their sessions made beforehand, each
at a scene that asks for a choice, with a history as long as chance had it. The load comes from this process,
and is open: a choice is due when somebody wants it, and its latency counts from then. Measured twice: while
sessions are documents, and once PostgreSQL is their truth.

A choice that is refused counts as one that is never answered.
"""

import asyncio
import contextlib
import os
import sys
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import msgspec

from benchmarks.asking import call
from benchmarks.bars import CHOOSE
from benchmarks.measuring import Benchmark, Chart, Claim, Effort, Measured, percentile
from manystore.moves.tasks import Action
from manystore.specifications import EVERYTHING, Specification
from mystira.clients.admin import AdminClient
from mystira.clients.errors import ProblemError, UnreachableError
from mystira.clients.service import Service
from mystira.clients.service_tokens import ServiceCredentials
from mystira.demonstration.stage import Stage, stage
from mystira.domain.accounts.model import NewAccount, Role
from mystira.domain.accounts.use_cases import create_account
from mystira.domain.profiles.model import NewProfile
from mystira.domain.profiles.use_cases import create_profile
from mystira.domain.scenarios.kind import SCENARIOS
from mystira.domain.scenarios.model import Scenario
from mystira.domain.sessions import rules
from mystira.domain.sessions.events import Player, SessionStarted
from mystira.domain.sessions.fold import extend
from mystira.domain.sessions.model import Choose, GameSession, ReadOn, Roll
from mystira.domain.sessions.stories import Story
from mystira.domain.signing_in.kind import SIGN_INS
from mystira.domain.signing_in.model import SignIn
from mystira.domain.signing_in.sign_ins import Terms, open_sign_in
from mystira.gateways.outside import open_outside
from mystira.http.entrance import Application
from mystira.placement import PLACEMENT
from mystira.platform import Platform, open_platform
from mystira.serve.api import compose

DOCUMENTS = Claim(bar=CHOOSE, case="sessions as documents", unit="s")
TABLES = Claim(bar=CHOOSE, case="PostgreSQL their truth", unit="s")
RATE, SECONDS = 100.0, 30.0
WARM_UP_SECONDS = 3.0
CORES = 2
_FAMILIES = 1000
_LONGEST_WAY = 60
_AT_ONCE = 8
_NEVER = 60.0
"""Seconds that stand for an answer that is a refusal, or does not come."""
_TICKS = os.sysconf("SC_CLK_TCK")


class Ready(msgspec.Struct, frozen=True):
    """A session whose scene asks for a choice, and the token of whose it is."""

    session: str
    scene: str
    branches: int
    token: str


class Run(msgspec.Struct):
    """What became of one run. Latencies in seconds, from when each choice was due."""

    latencies: list[float] = msgspec.field(default_factory=list)
    problems: Counter[str] = msgspec.field(default_factory=Counter)
    endings: int = 0
    processors: dict[str, float] = msgspec.field(default_factory=dict)


# -- what is there beforehand ---------------------------------------------------------------------------


async def _seed(folder: Path) -> None:
    words = ("seed", "--data-folder", str(folder))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mystira", *words, stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait() != 0:
        raise RuntimeError(f"mystira {' '.join(words)} ended with {process.returncode}")


async def _prepare(platform: Platform, random: Random, families: int) -> list[Ready]:
    found = await platform.repository(Scenario, SCENARIOS).find(Specification(where=EVERYTHING, limit=100))
    stories = [Story(stored) for stored in found.items]
    ready: list[Ready] = []
    numbers = iter(range(families))

    async def work() -> None:
        for number in numbers:
            ready.extend(await _sit_down(platform, stories, number, random))

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())
    random.shuffle(ready)
    return ready


async def _sit_down(platform: Platform, stories: Sequence[Story], number: int, random: Random) -> list[Ready]:
    """A family that is in the middle of every story."""
    accounts, clock = platform.accounts, platform.clock
    new = NewAccount(email=f"family.{number}@families.example", display_name="Ada")
    account = (await create_account(accounts, new, clock=clock, role=Role.USER)).value
    opened = await open_sign_in(
        platform.repository(SignIn, SIGN_INS),
        account,
        clock=clock,
        randomness=SystemRandom(),
        terms=Terms(),
    )
    child = NewProfile(name="Robin", account_id=account.id)
    profile = await create_profile(platform.profiles, accounts, child, clock=clock)
    ready = []
    for story in stories:
        session = _play_a_while(_begin(platform, story, account.id, profile.key), story, random)
        scene = story.scene(session.current_scene_id)
        assert scene is not None
        await platform.play.sessions.create(session)
        ready.append(Ready(session.id, scene.id, len(scene.branches), opened.token))
    return ready


def _begin(platform: Platform, story: Story, account_id: str, profile_id: str) -> GameSession:
    characters = [each.id for each in story.scenario.characters]
    owner = Player(
        id=profile_id, name="Robin", profile_id=profile_id, character_id=next(iter(characters), None)
    )
    started = SessionStarted(
        at=platform.clock.now(),
        session_id=platform.play.maker(),
        scenario_id=story.id,
        account_id=account_id,
        profile_id=profile_id,
        players=[owner, Player(id="guest-2", name="Grandma")],
        first_scene_id=story.scenario.first_scene.id,
        target_age_group=story.scenario.age_group,
        axes=story.scenario.core_axes,
    )
    return rules.begin(story, started)


def _play_a_while(session: GameSession, story: Story, random: Random) -> GameSession:
    """The session at one of the choices on a way through the story, whichever chance takes."""
    choices: list[GameSession] = []
    for _ in range(_LONGEST_WAY):
        scene, at = story.scene(session.current_scene_id), session.events[-1].at
        assert scene is not None
        way = rules.way_of(scene)
        if way == "a choice":
            choices.append(session)
            asked = Choose(scene_id=scene.id, branch=random.randrange(len(scene.branches)))
            events = rules.choose(session, story, asked, at)
        elif way == "a roll":
            events = rules.roll(session, story, Roll(scene_id=scene.id), random.randint(1, rules.D20), at)
        elif way == "reading on":
            events = rules.read_on(session, story, ReadOn(scene_id=scene.id), at)
        else:
            break
        session = extend(session, events)
    return random.choice(choices)


# -- the load -------------------------------------------------------------------------------------------


class Load:
    """Choices at a rate, whatever becomes of them."""

    def __init__(self, service: Service, ready: list[Ready], random: Random) -> None:
        self._service, self._ready, self._random = service, ready, random

    async def run(self, rate: float, seconds: float) -> Run:
        """So many a second on average, for so long."""
        measured = Run()
        due = began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            while True:
                due += self._random.expovariate(rate)
                if due - began >= seconds:
                    break
                if (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                group.create_task(self._choose(self._ready.pop(), due, measured))
        return measured

    async def _choose(self, ready: Ready, due: float, measured: Run) -> None:
        content = {"sceneId": ready.scene, "branch": self._random.randrange(ready.branches)}
        headers = {"Authorization": f"Bearer {ready.token}"}
        path = f"/api/v1/sessions/{ready.session}/choices"
        try:
            answer = await self._service.ask("POST", path, content=content, headers=headers)
        except (ProblemError, UnreachableError) as error:
            measured.problems[getattr(error, "code", "") or type(error).__name__] += 1
            measured.latencies.append(_NEVER)
            return
        measured.latencies.append(time.perf_counter() - due)
        scene: dict[str, Any] | None = answer.body["session"]["currentScene"]
        measured.endings += answer.body["session"]["status"] == "Completed"
        if scene is not None and scene["step"] == "choose":
            again = Ready(ready.session, scene["id"], len(scene["choices"]), ready.token)
            # Far from the end from which sessions are taken, so that each rests as long as may be.
            self._ready.insert(self._random.randrange(len(self._ready) // 2 + 1), again)


def _processors(staged: Stage) -> dict[str, float]:
    """Seconds that the platform's processes have used so far, by what they are."""
    used: dict[str, float] = {}
    names = {
        process.pid: process.name.rpartition("-")[0] or process.name for process in staged.roster.processes
    }
    parents = names.copy()
    for path in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda each: int(each.parent.name)):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            pid, parent = int(path.parent.name), int(fields[1])
            name = names.get(pid) or parents.get(parent)
            if name is not None:
                parents[pid] = name
                used[name] = used.get(name, 0.0) + (int(fields[11]) + int(fields[12])) / _TICKS
    return used


async def _measure(staged: Stage, load: Load, rate: float, seconds: float) -> Run:
    await load.run(rate, min(seconds, WARM_UP_SECONDS))
    before = _processors(staged)
    measured = await load.run(rate, seconds)
    measured.processors = {
        # Connections of PostgreSQL may have ended meanwhile, and what they used is no longer seen.
        name: max(0.0, used - before.get(name, 0.0)) / seconds
        for name, used in _processors(staged).items()
    }
    return measured


async def _move(admin: AdminClient) -> None:
    """Make PostgreSQL the truth of every kind, parents before children."""
    for entry in PLACEMENT:
        for action in (Action.START, Action.VERIFY, Action.CUT_OVER):
            task = await admin.ended(await admin.request(entry.kind.name, action))
            if task.state != "done":
                raise RuntimeError(f"{action.value} of {entry.kind.name}: {task.reasons}")


def _note(run: Run) -> str:
    count, ended = len(run.latencies), run.endings
    ranks = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (1.0, "longest"))
    figures = ", ".join(f"{name} {percentile(run.latencies, share) * 1000:.1f} ms" for share, name in ranks)
    shares = ", ".join(f"{name} {share:.0%}" for name, share in run.processors.items())
    refused = f"; refused: {dict(run.problems)}" if run.problems else ""
    return (
        f"{count:,} choices, {ended:,} of which ended a story; {figures}; of one processor: {shares}{refused}"
    )


def _chart(runs: dict[str, Run]) -> Chart:
    shares = (0.01, *(number / 20 for number in range(1, 20)), 0.99)
    return Chart(
        name="choose",
        title=f"Answer to a choice, {RATE:g} a second",
        x="share of choices, %",
        y="answered within, ms",
        lines={
            name: [(100 * share, 1000 * percentile(run.latencies, share)) for share in shares]
            for name, run in runs.items()
        },
    )


async def measure(effort: Effort) -> Measured:
    """Both runs on one platform, all of which has two cores between it and the load."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    random = Random(uuid.uuid4().int)
    rate, seconds = effort.of((RATE, SECONDS), (20.0, 2.0))
    async with stage(effort.folder) as staged:
        address = (await staged.up()).address
        await _seed(effort.folder)
        async with open_platform(staged.settings, role="benchmark") as platform:
            ready = await _prepare(platform, random, effort.of(_FAMILIES, 60))
        credentials = ServiceCredentials(staged.service_key)
        async with Service.at(address, credentials) as service:
            load = Load(service, ready, random)
            runs = {DOCUMENTS.case: await _measure(staged, load, rate, seconds)}
            await _move(AdminClient(service, actor="benchmark"))
            runs[TABLES.case] = await _measure(staged, load, rate, seconds)
    figures = [
        claim.figure([percentile(run.latencies, 0.99)], note=_note(run))
        for claim, run in zip((DOCUMENTS, TABLES), runs.values(), strict=True)
    ]
    return Measured(figures, [_chart(runs)])


async def profile_choose(effort: Effort) -> None:
    """Choices while PostgreSQL is the truth, one after the other, answered in one process."""
    random = Random(1)
    async with stage(effort.folder) as staged:
        address = (await staged.up()).address
        await _seed(effort.folder)
        async with (
            Service.at(address, ServiceCredentials(staged.service_key)) as service,
            open_platform(staged.settings, role="benchmark") as platform,
            open_outside(staged.settings, platform.clock) as outside,
        ):
            ready = await _prepare(platform, random, effort.of(500, 10))
            await _move(AdminClient(service, actor="benchmark"))
            application = compose(platform, outside, {})
            # The first are answered slower: what is needed only now is loaded, and statements are prepared.
            for each in ready[:20]:
                await _answer(application, each, random)
            with effort.profiled():
                for each in ready[20:]:
                    await _answer(application, each, random)


async def _answer(application: Application, ready: Ready, random: Random) -> None:
    content = msgspec.json.encode({"sceneId": ready.scene, "branch": random.randrange(ready.branches)})
    path = f"/api/v1/sessions/{ready.session}/choices"
    await call(application, "POST", path, authorization=f"Bearer {ready.token}", content=content)


BENCHMARK = Benchmark(
    name="choose",
    claims=(DOCUMENTS, TABLES),
    measure=measure,
    profiles={"choose": profile_choose},
)
