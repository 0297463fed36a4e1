"""What households do with their evenings: sign up by code, play stories to their ends, come and go.

A household does one thing at a time, so that it always knows how everything stands. Whatever is random comes
from the `Random` that is passed in. Each request says what is noted once it is answered; how it is made, and
made again, is `asking`'s.
"""

import itertools
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final
from urllib.parse import quote

import msgspec

from mystira.simulation.asking import Ask
from mystira.simulation.guardians import SIGNING_IN, Guardian, code_in
from mystira.simulation.ledger import Document
from mystira.simulation.names import EMOJI, GIVEN_NAMES, PEOPLE
from mystira.simulation.notes import Note
from mystira.simulation.replays import Play, Replay, differing

API: Final = "/api/v1"
ACCOUNTS, PROFILES, SESSIONS = "accounts", "user_profiles", "game_sessions"
SCORES, PURCHASES = "player_scenario_scores", "purchases"

_THEMES: Final = ("system", "light", "dark", "sepia")
_AGE_GROUPS: Final = ("6-9", "6-9", "10-12", "13-18", "19-150")
_STEPS: Final = {"choose": "choices", "roll": "rolls", "readOn": "read-on"}
_CURRENCIES: Final = ("EUR", "USD", "ZAR")


class Household:
    """An account with those who play under it, and the evening that they are having."""

    def __init__(self, number: int, run: str, random: Random) -> None:
        self.number, self.has_left = number, False
        self._run, self._random = run, random
        name, spelled = random.choice(PEOPLE)
        self._name, self._email = name, f"{spelled}.{run}.{number}@families.example"
        self._serial: Iterator[int] = itertools.count(1)
        self._token = self._request = self._code = ""
        self._account: str | None = None
        self._wanted_profiles = random.randint(1, 2)
        self._profiles: dict[str, str] = {}
        self._stories: list[Document] = []
        self._locked: set[str] = set()
        self._play: Play | None = None
        self._todo: list[Ask] = []
        self._guardian = Guardian(self._email, self._create, self._get)

    def next_ask(self) -> Ask:
        """What this household wants next."""
        if self._todo:
            return self._todo.pop(0)
        if not self._token:
            return self._come_in()
        if len(self._profiles) < self._wanted_profiles:
            return self._add_profile()
        if (ask := self._guardian.next_ask()) is not None:
            return ask
        if not self._stories:
            return self._get("list stories", "/scenarios", self._take_stories)
        if self._play is not None and (self._play.is_doubtful or self._random.random() < 0.85):
            return self._go_on(self._play)
        return self._something_else()

    # -- coming in -------------------------------------------------------------------------------------

    def _come_in(self) -> Ask:
        if not self._request:
            return self._ask_for_code()
        if not self._code:
            return Ask(
                operation="read mail",
                method="GET",
                path="/mailbox/messages",
                query={"to": self._email},
                take=self._take_mail,
            )
        # Whoever does not hear whether the code was taken asks for another one.
        return Ask(
            operation="confirm code",
            method="POST",
            path=f"{API}/sign-ins/confirm",
            content={"requestId": self._request, "code": self._code},
            take=self._take_token,
            # The letter in hand may be an older one, where the newest is still on its way.
            accepts=("code_void", "wrong_code"),
            refused=self._mistype,
        )

    def _ask_for_code(self) -> Ask:
        is_new = self._account is None
        content = {"email": self._email} | ({"displayName": self._name} if is_new else {})

        def take(body: Any) -> list[Note]:
            self._request = body["requestId"]
            return []

        return Ask(
            operation="sign up" if is_new else "sign in",
            method="POST",
            path=f"{API}/{'sign-ups' if is_new else 'sign-ins'}",
            content=content,
            take=take,
            accepts=("too_often",),
            refused=lambda _: self._give_up(),
        )

    def _give_up(self) -> None:
        self.has_left = True

    def _mistype(self, code: str) -> None:
        self._code = ""
        if code == "code_void":
            self._request = ""

    def _forget_code(self) -> None:
        self._request = self._code = ""

    def _take_mail(self, body: Any) -> list[Note]:
        self._code = code_in(body["items"], SIGNING_IN)
        return []

    def _take_token(self, body: Any) -> list[Note]:
        self._token, self._account = body["token"], body["account"]["id"]
        self._forget_code()
        return [] if self._profiles else [self._holds(ACCOUNTS, self._account, displayName=self._name)]

    def _sign_out(self) -> Ask:
        def take(_: Any) -> list[Note]:
            self._token = ""
            return []

        ask = self._write("sign out", "DELETE", "/sign-ins/current", take=take)
        return msgspec.structs.replace(
            ask, accepts=("not_signed_in",), refused=lambda _: setattr(self, "_token", "")
        )

    # -- who plays, and what -----------------------------------------------------------------------------

    def _add_profile(self) -> Ask:
        name, group = self._random.choice(GIVEN_NAMES), self._random.choice(_AGE_GROUPS)

        def take(body: Any) -> list[Note]:
            self._profiles[body["id"]] = group
            self._guardian.take_in(body["id"], group)
            return [self._holds(PROFILES, body["id"], name=name, accountId=self._account)]

        return self._create("add profile", "/profiles", {"name": name, "ageGroup": group}, take)

    def _take_stories(self, body: Any) -> list[Note]:
        self._stories = body["items"]
        return []

    def _start(self) -> Ask | None:
        readers = [each for each in self._profiles.items() if self._guardian.may_play(each[0])]
        if not readers:
            return None
        profile, group = self._random.choice(readers)
        age = int(group.partition("-")[0])
        stories = [
            each["id"]
            for each in self._stories
            if each["minimumAge"] <= age and each["id"] not in self._locked
        ]
        if not stories:
            return None
        story = self._random.choice(stories)
        players: list[Document] = [{"profileId": profile}, {"name": self._random.choice(GIVEN_NAMES)}]
        content = {"scenarioId": story, "profileId": profile, "players": players}

        def take(body: Any) -> list[Note]:
            replay = Replay(
                scene=body["currentSceneId"],
                values={axis: value["current"] for axis, value in body["compass"].items()},
            )
            self._play = Play(
                key=body["id"], profile=profile, story=story, scene=body["currentScene"], replay=replay
            )
            if body["eventCount"] > 1 + len(body["achievements"]):
                # It was live already, from before somebody lost sight of it.
                self._play.is_doubtful = True
            return [self._played(self._play)]

        ask = self._create("start story", "/sessions", content, take)
        return msgspec.structs.replace(
            ask, accepts=("not_bought", "too_young"), refused=lambda _: self._locked.add(story)
        )

    # -- playing -----------------------------------------------------------------------------------------

    def _go_on(self, play: Play) -> Ask:
        if play.is_doubtful or self._random.random() < 0.04:
            return self._look(play)
        if play.replay.status == "Paused":
            return self._step(play, "resume", "resume", {})
        chance = self._random.random()
        if chance < 0.04:
            return self._step(play, "pause", "pause", {})
        if chance < 0.045:
            return self._step(play, "abandon", "abandon", {})
        scene = play.scene
        if scene is None or scene["step"] == "end":
            return self._step(play, "complete", "complete", {})
        content: Document = {"sceneId": scene["id"], "sceneCount": play.replay.scenes}
        if scene["step"] == "choose":
            content["branch"] = self._random.choice(scene["choices"])["branch"]
        return self._step(play, scene["step"], _STEPS[scene["step"]], content)

    def _step(self, play: Play, step: str, path: str, content: Document) -> Ask:
        def take(body: Any) -> list[Note]:
            play.replay.answered(content.get("sceneId", ""), step, content.get("branch", 0), body)
            play.scene = body["session"]["currentScene"]
            return [self._played(play), *self._after(play, body)]

        def look(_: str) -> None:
            play.is_doubtful = True

        return msgspec.structs.replace(
            self._write(
                "read on" if step == "readOn" else step,
                "POST",
                f"/sessions/{play.key}/{path}",
                content=content or None,
                take=take,
            ),
            doubts=(Note(event="doubt", kind=SESSIONS, key=play.key),),
            resolves=("scene_not_current", "session_not_in_progress", "session_not_paused", "session_ended"),
            refused=look,
        )

    def _after(self, play: Play, body: Document) -> list[Note]:
        """What an end brought."""
        if play.replay.status not in ("Completed", "Abandoned"):
            return []
        self._play = None
        self._todo += self._look_at_what_it_brought(play)
        return [
            Note(event="badge", kind=PROFILES, key=badge["profileId"], facts={"badge": badge["badgeId"]})
            for badge in body["badges"]
        ]

    def _look_at_what_it_brought(self, play: Play) -> list[Ask]:
        return [
            self._get("read badges", f"/profiles/{play.profile}/badges", lambda _: []),
            self._get("list scores", f"/profiles/{play.profile}/scores", lambda _: []),
        ]

    def _look(self, play: Play) -> Ask:
        """Come back to a session and find it as it was left, or learn how it stands, where nobody knows."""

        def take(body: Any) -> list[Note]:
            notes: list[Note] = []
            found = Replay.of_views(body)
            if not play.is_doubtful and (fields := differing(play.replay, found)):
                detail = f"read with another {', '.join(fields)}"
                notes.append(Note(event="contradicted", kind=SESSIONS, key=play.key, detail=detail))
            play.replay, play.scene, play.is_doubtful = found, body["currentScene"], False
            if found.status in ("Completed", "Abandoned"):
                self._play = None
            return [*notes, self._played(play)]

        return self._get("come back", f"/sessions/{play.key}", take)

    def _played(self, play: Play) -> Note:
        facts = {"profileId": play.profile, "scenarioId": play.story, "accountId": self._account}
        event: Any = "doubt" if play.is_doubtful else "played"
        return Note(event=event, kind=SESSIONS, key=play.key, facts=facts, replay=play.replay)

    # -- everything else ---------------------------------------------------------------------------------

    def _something_else(self) -> Ask:
        if self._play is None and self._random.random() < 0.7 and (start := self._start()) is not None:
            return start
        weights, wants = zip(*_WANTS, strict=True)
        want: Callable[[Household], Ask] = self._random.choices(wants, weights)[0]
        return want(self)

    def _change_settings(self) -> Ask:
        theme = self._random.choice(_THEMES)
        return self._change("change settings", {"settings": {"theme": theme}}, **{"settings.theme": theme})

    def _rename(self) -> Ask:
        name = f"{self._random.choice(PEOPLE)[0]} {self._random.choice(EMOJI)} {next(self._serial)}"
        return self._change("change name", {"displayName": name}, displayName=name)

    def _change(self, operation: str, content: Document, **facts: Any) -> Ask:
        key = self._account or ""
        return msgspec.structs.replace(
            self._write(
                operation,
                "PATCH",
                f"/accounts/{key}",
                content=content,
                take=lambda _: [self._holds(ACCOUNTS, key, **facts)],
            ),
            headers=self._shown() | {"If-Match": "*"},
            doubts=(Note(event="doubt", kind=ACCOUNTS, key=key, facts=facts),),
        )

    def _read_account(self) -> Ask:
        return self._get("read account", f"/accounts/{self._account}", lambda _: [])

    def _shop(self) -> Ask:
        """Look at what is offered, and buy something with the next request."""

        def take(body: Any) -> list[Note]:
            wanted = [each for each in body["items"] if each["access"] == "none" and each["prices"]]
            if wanted:
                bundle = self._random.choice(wanted)
                self._todo.append(self._buy(bundle["id"], self._random.choice(bundle["prices"])["currency"]))
            return []

        return self._get("list offers", "/bundles", take)

    def _buy(self, bundle: str, currency: str) -> Ask:
        def take(body: Any) -> list[Note]:
            if body["status"] != "Granted":
                return []
            self._locked.clear()
            facts = {"accountId": self._account, "bundleId": bundle, "status": "Granted"}
            return [self._holds(PURCHASES, body["id"], **facts)]

        content = {"bundleId": bundle, "currency": currency}
        ask = self._create("buy bundle", "/purchases", content, take)
        return msgspec.structs.replace(ask, accepts=("already_bought", "not_for_sale"))

    def _leave(self) -> Ask:
        """Delete the account, with all sessions; profiles stay, and belong to nobody."""
        key = self._account or ""

        def take(_: Any) -> list[Note]:
            self.has_left = True
            disowned = [self._holds(PROFILES, profile, accountId=None) for profile in self._profiles]
            return [Note(event="gone", kind=ACCOUNTS, key=key), *disowned]

        def gone(_: str) -> None:
            self.has_left = True

        ask = self._write("delete account", "DELETE", f"/accounts/{key}", take=take)
        doubts = [Note(event="doubt", kind=ACCOUNTS, key=key, detail="may be gone")]
        doubts += [
            Note(event="doubt", kind=PROFILES, key=profile, facts={"accountId": None})
            for profile in self._profiles
        ]
        return msgspec.structs.replace(
            ask,
            headers=self._shown() | {"If-Match": "*"},
            doubts=tuple(doubts),
            resolves=("not_signed_in", "not_found"),
            refused=gone,
        )

    # -- requests ----------------------------------------------------------------------------------------

    def _shown(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def _get(self, operation: str, path: str, take: Callable[[Any], list[Note]]) -> Ask:
        return Ask(operation=operation, method="GET", path=API + path, headers=self._shown(), take=take)

    def _write(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        content: Document | None = None,
        take: Callable[[Any], list[Note]] = lambda _: [],
    ) -> Ask:
        return Ask(
            operation=operation,
            method=method,
            path=API + path,
            content=content,
            headers=self._shown(),
            take=take,
        )

    def _create(self, operation: str, path: str, content: Document, take: Callable[[Any], list[Note]]) -> Ask:
        key = f"{self._run}-{self.number}-{next(self._serial)}"
        ask = self._write(operation, "POST", path, content=content, take=take)
        return msgspec.structs.replace(ask, headers=self._shown() | {"Idempotency-Key": quote(key)})

    def _holds(self, kind: str, key: str, **facts: Any) -> Note:
        return Note(event="holds", kind=kind, key=key, facts=facts)


_WANTS: Final[tuple[tuple[float, Callable[[Household], Ask]], ...]] = (
    (20, Household._read_account),
    (20, Household._change_settings),
    (14, Household._rename),
    (20, Household._shop),
    (10, Household._sign_out),
    (1.5, Household._leave),
)
"""How often each is wanted by those who do not play just now."""
