"""The App API as a dictionary, with the faults that a network and a platform have."""

import copy
import json
from collections.abc import Mapping
from random import Random
from typing import Any
from uuid import UUID

from mystira.clients.errors import ProblemError, UnreachableError
from mystira.clients.service import Answer
from mystira.simulation.families import ACCOUNTS, PROFILES, ROUTES, merged
from mystira.simulation.ledger import Document
from mystira.simulation.views import shown
from mystira.simulation.witness import Place, Seen


class DictionaryApi:
    """Accounts and profiles as the App API treats them, in memory.

    `faults` is the share of requests that go wrong: refused before, or done with the answer lost.
    """

    def __init__(self, random: Random, *, faults: float = 0.0) -> None:
        self.records: dict[Place, tuple[int, Document]] = {}
        self._random, self._faults = random, faults
        self._done: dict[str, Answer] = {}
        self._ticks = 0

    async def ask(
        self,
        method: str,
        path: str,
        *,
        content: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        fate = self._random.random()
        if fate < self._faults / 3:
            raise ProblemError(status=503, code="draining", detail="later", retry_after=0.0)
        if fate < self._faults / 3 * 2:
            raise UnreachableError(url=path, reason="reset before")
        # What crosses a wire is text: no document is shared with whoever sent it.
        sent = json.loads(json.dumps(content))
        answer = self._answer(method, path, sent, dict(query or {}), dict(headers or {}))
        if fate < self._faults:
            raise UnreachableError(url=path, reason="reset after")
        return answer

    @property
    def found(self) -> dict[Place, Seen | None]:
        """Everything as a reader would find it."""
        return {
            place: Seen(version, shown(place[0], held)) for place, (version, held) in self.records.items()
        }

    def _answer(
        self, method: str, path: str, sent: Any, query: dict[str, str], headers: dict[str, str]
    ) -> Answer:
        kind = ACCOUNTS if path.startswith(ROUTES[ACCOUNTS]) else PROFILES
        _, key, part, *_ = [*path.removeprefix(ROUTES[kind]).split("/"), "", "", ""]
        if method == "POST" and not key:
            return self._create(kind, sent, headers["Idempotency-Key"])
        if query:
            field = "email" if kind == ACCOUNTS else "accountId"
            matching = [
                {**held, "etag": f'"{version}"'}
                for (k, _), (version, held) in self.records.items()
                if k == kind and held[field] == query[field]
            ]
            return Answer(status=200, body={"items": matching}, etag=None)
        version, held = self._held((kind, key))
        expected = headers.get("If-Match")
        if expected is not None and expected != f'"{version}"':
            raise ProblemError(status=412, code="version_mismatch", detail="changed")
        if method == "GET":
            return self._show((kind, key))
        if method == "DELETE":
            return self._delete((kind, key))
        return self._put((kind, key), self._altered(held, part, sent))

    def _held(self, place: Place) -> tuple[int, Document]:
        if place not in self.records:
            raise ProblemError(status=404, code="not_found", detail="gone")
        return self.records[place]

    def _altered(self, held: Document, part: str, sent: Any) -> Document:
        if part == "completed-scenarios":
            done = held["completedScenarioIds"]
            return {**held, "completedScenarioIds": [*done, *({sent["scenarioId"]} - set(done))]}
        if part == "badges":
            badge = {"id": self._make_id(), "earnedAt": self._now(), **sent}
            earned = held["earnedBadges"]
            if any(each["badgeConfigurationId"] == badge["badgeConfigurationId"] for each in earned):
                return held
            return {**held, "earnedBadges": [*earned, shown_badge(badge)]}
        return merged(held, {"subscription": sent} if part == "subscription" else sent)

    def _create(self, kind: str, sent: Any, key: str) -> Answer:
        if key not in self._done:
            if any(sent.get("email") == held.get("email", "") for _, held in self.records.values()):
                raise ProblemError(status=409, code="not_unique", detail="taken")
            place = (kind, self._make_id())
            now = self._now()
            made = shown(kind, {**sent, "id": place[1], "createdAt": now, "updatedAt": now})
            self.records[place] = (1, copy.deepcopy(made))
            self._done[key] = self._show(place)
        return self._done[key]

    def _put(self, place: Place, document: Document) -> Answer:
        version, held = self.records[place]
        if document != held:
            self.records[place] = (version + 1, {**document, "updatedAt": self._now()})
        return self._show(place)

    def _delete(self, place: Place) -> Answer:
        for other, (version, held) in self.records.items():
            if held.get("accountId") == place[1]:
                self.records[other] = (version + 1, {**held, "accountId": None, "updatedAt": self._now()})
        del self.records[place]
        return Answer(status=204, body=None, etag=None)

    def _show(self, place: Place) -> Answer:
        version, held = self.records[place]
        return Answer(status=200, body=copy.deepcopy(held), etag=f'"{version}"')

    def _now(self) -> str:
        self._ticks += 1
        return f"2026-11-20T12:00:00.{self._ticks:06}Z"

    def _make_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128)))


def shown_badge(badge: Document) -> Document:
    """A badge with its defaults."""
    document: Document = shown(PROFILES, {"earnedBadges": [badge]})["earnedBadges"][0]
    return document
