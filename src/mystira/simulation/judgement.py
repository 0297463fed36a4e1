"""The witness's look at the end of the evenings: is everything as the households were told?

Each play is told again from what its household chose, and compared with what the session says of itself; so
is what follows from the session's own events. Scores and badges must be there once, and nothing that was
acknowledged may be missing.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from mystira.clients.errors import ProblemError, UnreachableError
from mystira.simulation.households import ACCOUNTS, API, PROFILES, PURCHASES, SCORES, SESSIONS
from mystira.simulation.ledger import Document
from mystira.simulation.notes import Note
from mystira.simulation.reading import AT_ONCE, PATIENCE
from mystira.simulation.replays import Replay, differing, is_further
from mystira.simulation.requests import Asks
from mystira.simulation.witness import LOST, Finding, Place, Sort, Tally

_ROUTES: Final = {ACCOUNTS: "accounts", PROFILES: "profiles", SESSIONS: "sessions", PURCHASES: "purchases"}
_PAUSE: Final = 0.2


class Played(msgspec.Struct):
    """A session as its household left it, and whose it is."""

    replay: Replay
    profile: str
    story: str
    account: str
    is_doubtful: bool = False


class Hearing:
    """All that the notes say, together."""

    def __init__(self, notes: Iterable[Note]) -> None:
        self.facts: Final[dict[Place, dict[str, list[Any]]]] = {}
        self.gone: Final[set[str]] = set()
        self.perhaps_gone: Final[set[str]] = set()
        self.sessions: Final[dict[str, Played]] = {}
        self.badges: Final[dict[str, set[str]]] = {}
        self.contradictions: Final[list[Finding]] = []
        self.acknowledged = self.unclear = 0
        for note in notes:
            self._hear(note)

    def _hear(self, note: Note) -> None:
        place = (note.kind, note.key)
        if note.event == "doubt":
            self.unclear += 1
        elif note.event == "contradicted":
            self._contradict(note)
        else:
            self.acknowledged += 1
        if note.kind == SESSIONS and note.event in ("played", "doubt"):
            self._hear_session(note)
        elif note.event == "badge":
            self.badges.setdefault(note.key, set()).add(note.facts["badge"])
        elif note.event == "gone":
            self.gone.add(note.key)
        elif note.event == "holds":
            self.facts.setdefault(place, {}).update({name: [value] for name, value in note.facts.items()})
        elif note.event == "doubt" and note.facts:
            known = self.facts.setdefault(place, {})
            for name, value in note.facts.items():
                known.setdefault(name, []).append(value)
        elif note.event == "doubt":
            self.perhaps_gone.add(note.key)

    def _hear_session(self, note: Note) -> None:
        if note.replay is None:
            self.sessions[note.key].is_doubtful = True
            return
        facts, is_doubtful = note.facts, note.event == "doubt"
        played = Played(note.replay, facts["profileId"], facts["scenarioId"], facts["accountId"], is_doubtful)
        # Put at the end, so that those which are complete come in the order in which they were completed.
        self.sessions.pop(note.key, None)
        self.sessions[note.key] = played

    def _contradict(self, note: Note) -> None:
        finding = Finding(
            kind=note.kind, key=note.key, sort="contradicted", where="answers", detail=note.detail
        )
        self.contradictions.append(finding)

    def places(self) -> list[Place]:
        """All that has to be looked at."""
        scores = {(SCORES, played.profile) for played in self.sessions.values()}
        return [*((SESSIONS, key) for key in self.sessions), *self.facts, *sorted(scores)]


class Judge:
    """Reads back through the App API what the households were told, as whoever runs the platform."""

    def __init__(self, service: Asks, hearing: Hearing) -> None:
        self._service, self._told = service, hearing
        self._findings: list[Finding] = list(hearing.contradictions)

    async def judge(self, tell: Callable[[int, int], None] = lambda *_: None) -> Tally:
        """The conclusion. Raises UnreachableError and ProblemError."""
        # Scores last: what became of doubtful sessions is known by then.
        places = sorted(self._told.places(), key=lambda place: place[0] == SCORES)
        todo, done = iter(places), 0

        async def work() -> None:
            nonlocal done
            for place in todo:
                await self._look(place)
                done += 1
                tell(done, len(places))

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())
        lost = {(each.kind, each.key) for each in self._findings if each.sort in LOST}
        wrong = {(each.kind, each.key) for each in self._findings}
        return Tally(
            records=len(places),
            acknowledged=self._told.acknowledged,
            unclear=self._told.unclear,
            lost=len(lost),
            divergent=len(wrong - lost),
            findings=tuple(self._findings),
        )

    async def _look(self, place: Place) -> None:
        kind, key = place
        if kind == SCORES:
            self._judge_scores(key, await self._all_scores(key))
        elif kind == SESSIONS:
            self._judge_session(key, await self._read(f"/sessions/{key}"))
        else:
            self._judge_facts(place, await self._read(f"/{_ROUTES[kind]}/{key}"))

    # -- plays -------------------------------------------------------------------------------------------

    def _judge_session(self, key: str, found: Document | None) -> None:
        played = self._told.sessions[key]
        if found is None:
            if played.account not in self._told.gone | self._told.perhaps_gone:
                self._find(SESSIONS, key, "lost", "absent, though its account is there")
            return
        if played.account in self._told.gone:
            self._find(SESSIONS, key, "resurrected", "there, though its account was deleted")
        told = Replay.of_views(found)
        if fields := differing(Replay.of_events(found["events"]), told):
            self._find(SESSIONS, key, "differing", f"its events lead to another {', '.join(fields)}")
        fields = differing(played.replay, told)
        if fields and not (played.is_doubtful and is_further(played.replay, told)):
            is_behind = told.scenes < played.replay.scenes
            detail = f"what was chosen leads to another {', '.join(fields)}"
            self._find(SESSIONS, key, "outdated" if is_behind else "differing", detail)
        badges = [(each["profileId"], each["badgeId"]) for each in found["achievements"]]
        if len(set(badges)) < len(badges):
            self._find(SESSIONS, key, "differing", "it names a badge twice")
        played.replay = told

    def _judge_scores(self, profile: str, found: list[Document]) -> None:
        plays = [each for each in self._told.sessions.values() if each.profile == profile]
        expected: dict[str, Played] = {}
        for played in plays:
            if played.replay.status == "Completed":
                expected.setdefault(played.story, played)
        stories = [score["scenarioId"] for score in found]
        for story in {each for each in stories if stories.count(each) > 1}:
            self._find(SCORES, profile, "differing", f"{story} counts more than once")
        doubtful = {each.story for each in plays if each.is_doubtful}
        for story in sorted(expected.keys() - set(stories)):
            self._find(SCORES, profile, "lost", f"{story} was completed, and does not count")
        for score in found:
            played_first = expected.get(score["scenarioId"])
            if score["scenarioId"] in doubtful:
                continue
            if played_first is None:
                self._find(SCORES, profile, "overwritten", f"{score['scenarioId']} was not completed")
            elif score["axisScores"] != played_first.replay.totals_of(profile):
                self._find(SCORES, profile, "differing", f"{score['scenarioId']} came to another score")

    # -- all else ----------------------------------------------------------------------------------------

    def _judge_facts(self, place: Place, found: Document | None) -> None:
        kind, key = place
        told = self._told
        if found is None:
            if key not in told.gone | told.perhaps_gone:
                self._find(kind, key, "lost", "absent, though it was acknowledged")
            return
        if key in told.gone:
            self._find(kind, key, "resurrected", "there, though its deletion was acknowledged")
        for name, values in told.facts[place].items():
            owner_may_be_gone = values and values[0] in told.gone | told.perhaps_gone
            if _value(found, name) not in values and not (name == "accountId" and owner_may_be_gone):
                self._find(kind, key, "differing", f"another {name} than was acknowledged")
        if kind == PROFILES:
            self._judge_badges(key, found)
        if kind == ACCOUNTS:
            self._judge_account(key, found)

    def _judge_badges(self, key: str, found: Document) -> None:
        earned = [each["badgeConfigurationId"] for each in found["earnedBadges"]]
        if len(set(earned)) < len(earned):
            self._find(PROFILES, key, "differing", "it has a badge twice")
        if missing := self._told.badges.get(key, set()) - set(earned):
            self._find(PROFILES, key, "lost", f"{len(missing)} badges that it was told of are not there")

    def _judge_account(self, key: str, found: Document) -> None:
        done = found["completedScenarioIds"]
        wanted = {
            played.story
            for played in self._told.sessions.values()
            if played.account == key and played.replay.status == "Completed"
        }
        if len(set(done)) < len(done):
            self._find(ACCOUNTS, key, "differing", "it completed a story twice")
        if wanted - set(done):
            self._find(ACCOUNTS, key, "lost", "a story that was completed is not noted")

    def _find(self, kind: str, key: str, sort: Sort, detail: str) -> None:
        self._findings.append(Finding(kind=kind, key=key, sort=sort, where="App API", detail=detail))

    async def _all_scores(self, profile: str) -> list[Document]:
        found = await self._read(f"/profiles/{profile}/scores", query={"limit": "200"})
        return [] if found is None else list(found["items"])

    async def _read(self, path: str, query: dict[str, str] | None = None) -> Document | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        while True:
            try:
                body: Document = (await self._service.ask("GET", API + path, query=query)).body
                return body
            except ProblemError as error:
                if error.status == 404:
                    return None
                if not error.is_passing or loop.time() > deadline:
                    raise
            except UnreachableError:
                if loop.time() > deadline:
                    raise
            await asyncio.sleep(_PAUSE)


def _value(document: Document, path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = value[name]
    return value
