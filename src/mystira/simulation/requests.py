"""Carrying out one intent as a good client does, and writing down what came of it.

A good client waits when it is told to, tries again when a connection was lost, names the version that it
changes, and repeats a creation under the same Idempotency-Key. Where no answer says whether a write happened,
it notes that both may be so, and looks before it does anything else with the record.
"""

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from manystore.clock import Clock
from mystira.clients.errors import ProblemError, UnreachableError
from mystira.clients.service import Answer
from mystira.simulation.families import PROFILES, Family, Intent, Known, read
from mystira.simulation.ledger import Document, Entry, Ledger
from mystira.simulation.views import shown
from mystira.simulation.witness import differing_fields

PATIENCE: Final = 30.0
"""Seconds after it was due for which a request is tried again."""
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


class Asks(Protocol):
    """What a request is made through: one attempt (`mystira.clients.service.Service`)."""

    async def ask(
        self,
        method: str,
        path: str,
        *,
        content: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask once. Raises ProblemError and UnreachableError."""


class Experience(msgspec.Struct):
    """How one intent fared: attempts, seconds spent waiting because the platform asked for it, and its end.

    `problem` is the code of the last refusal; empty where it came to the end that was wanted. `faults` counts
    answers that are promised never to be given (500).
    """

    attempts: int = 0
    faults: int = 0
    waited: float = 0.0
    problem: str = ""


class Requester:
    """Asks the App API on behalf of families, and keeps one process's ledger."""

    def __init__(self, service: Asks, ledger: Ledger, clock: Clock, *, patience: float = PATIENCE) -> None:
        self._service, self._ledger, self._clock, self._patience = service, ledger, clock, patience

    async def carry_out(self, family: Family, intent: Intent, due: float) -> Experience:
        """Ask until there is an answer, or patience ends."""
        request = _Request(self._service, self._ledger, self._clock, family, intent, due)
        request.is_unclear = family.unfinished is intent
        family.unfinished = None
        while True:
            try:
                await request.attempt()
            except ProblemError as problem:
                if not await request.survives(problem):
                    break
            except UnreachableError:
                request.doubt("unreachable")
                request.retry_in = None
            else:
                break
            if not await self._may_repeat(request, due):
                break
        return request.experience

    async def _may_repeat(self, request: "_Request", due: float) -> bool:
        pause = request.next_pause()
        if self._clock.monotonic() + pause > due + self._patience:
            request.give_up()
            return False
        request.experience.waited += pause
        await self._clock.sleep(pause)
        return True


class _Request:
    """One intent under way."""

    def __init__(
        self,
        service: Asks,
        ledger: Ledger,
        clock: Clock,
        family: Family,
        intent: Intent,
        due: float,
    ) -> None:
        self.experience = Experience()
        self.retry_in: float | None = None
        self._service, self._ledger, self._clock = service, ledger, clock
        self._family, self._intent, self._due = family, intent, due
        self.is_unclear = False
        """Whether an attempt got no clear answer, so that it may have happened, or may yet."""

    async def attempt(self) -> None:
        """Ask once, and take in the answer. Raises ProblemError and UnreachableError."""
        self.experience.attempts += 1
        intent = self._intent
        headers = {}
        if intent.idempotency_key:
            headers["Idempotency-Key"] = intent.idempotency_key
        if intent.method in ("PATCH", "DELETE") and intent.record is not None:
            headers["If-Match"] = f'"{intent.record.version}"'
        answer = await self._service.ask(
            intent.method, intent.path, content=intent.content, query=intent.query, headers=headers
        )
        self.experience.problem = ""
        self._take(answer)

    def _take(self, answer: Answer) -> None:
        if self._intent.method == "DELETE":
            self._take_deletion()
        elif self._intent.query is not None:
            self._take_list(answer)
        else:
            self._take_document(answer.body, _version(answer.etag))

    def _take_document(self, body: Document, version: int) -> None:
        intent, document = self._intent, shown(self._intent.kind, body)
        event = "acknowledged" if intent.is_write else "seen"
        fields = self._differences(document)
        if intent.is_write:
            if fields:
                self._contradict(document["id"], f"another {', '.join(fields[:6])}")
            self._write(event, document["id"], version, document)
        elif intent.record is None or fields or version != intent.record.version:
            # What is as it was known to be needs no line; everything else the witness has to judge.
            self._write(event, document["id"], version, document)
        self._family.take(intent, document["id"], version, document)

    def _take_list(self, answer: Answer) -> None:
        """A search for what is known must find it, as it is known; one for what is not makes it known."""
        record, kind = self._intent.record, self._intent.kind
        items = [
            Known(kind, item["id"], _version(item["etag"]), shown(kind, item))
            for item in answer.body["items"]
        ]
        if record is None:
            for item in items:
                self._write("seen", item.key, item.version, item.document)
            self._family.take_profiles(items)
            return
        found = next((item for item in items if item.key == record.key), None)
        if found is None or found.version != record.version or self._differences(found.document):
            self._contradict(record.key, "a search for its e-mail address did not find it as it is")

    def _take_deletion(self) -> None:
        record = self._intent.record
        if record is None:
            return
        self._write("acknowledged", record.key, None, None)
        for profile in self._family.lose(record):
            # Whoever deletes an account lets go of its profiles: a write that nobody asked for by name.
            document = profile.document | {"accountId": None}
            self._ledger.write(
                Entry(
                    event="implied",
                    kind=PROFILES,
                    key=profile.key,
                    document=document,
                    untold=("updatedAt",),
                    operation=self._intent.operation,
                )
            )

    async def survives(self, problem: ProblemError) -> bool:
        """Take in a refusal; whether the same request is to be made again."""
        self.experience.problem = problem.code
        self.retry_in = problem.retry_after
        if (
            problem.is_passing
            or problem.status >= 500
            or problem.code in ("contended", "request_in_progress")
        ):
            if problem.status != 429:
                self.doubt(problem.code)
            return True
        if problem.status == 404 and self._intent.method == "DELETE" and self.is_unclear:
            # An earlier attempt did it, though its answer was lost.
            self.experience.problem = ""
            self._take_deletion()
            return False
        if problem.status in (404, 412) and self._intent.record is not None:
            return await self._look(problem)
        self._contradict(_key(self._intent), f"refused: {problem.code}: {problem.detail}")
        return False

    async def _look(self, problem: ProblemError) -> bool:
        """Somebody else changed our record, or an earlier attempt of ours did: see which."""
        record = self._intent.record
        assert record is not None
        try:
            answer = await self._service.ask("GET", record.path)
        except UnreachableError:
            return True
        except ProblemError as error:
            if error.status != 404:
                self.retry_in = error.retry_after
                return error.is_passing
            if self._intent.method == "DELETE" and self.is_unclear:
                self.experience.problem = ""
                self._take_deletion()
            else:
                self._write("seen", record.key, None, None)
                self._family.lose(record)
            return False
        document, version = shown(record.kind, answer.body), _version(answer.etag)
        self._write("seen", record.key, version, document)
        was_done = self.is_unclear and version > record.version and not self._differences(document)
        self._family.take(read(record), record.key, version, document)
        if self._intent.method == "DELETE" and self.is_unclear:
            # An earlier attempt made the version its own, and may still be about to delete: nobody may
            # build on the record before it is gone.
            return True
        if was_done:
            self.experience.problem = ""
        elif not self.is_unclear:
            self._contradict(record.key, f"refused: {problem.code}: {problem.detail}")
        return False

    def doubt(self, problem: str) -> None:
        """No answer says whether this write happened: from now on it may have."""
        self.experience.problem = problem
        intent = self._intent
        if not intent.is_write or self.is_unclear:
            return
        self.is_unclear = True
        if intent.record is None:
            # Nobody knows its key, so nobody can look for it; repeating it will tell, or nothing will.
            return
        version = None if intent.expected is None else intent.record.version + 1
        self._write("unclear", intent.record.key, version, intent.expected, untold=intent.untold)
        if intent.expected is None:
            # A deletion first makes the version its own, and may have come no further than that.
            self._write("unclear", intent.record.key, None, intent.record.document)
            self._doubt_profiles()

    def _doubt_profiles(self) -> None:
        if self._intent.record is not self._family.account:
            return
        for profile in self._family.profiles:
            document = profile.document | {"accountId": None}
            self._ledger.write(
                Entry(
                    event="unclear",
                    kind=PROFILES,
                    key=profile.key,
                    document=document,
                    untold=("updatedAt",),
                    operation=self._intent.operation,
                )
            )

    def give_up(self) -> None:
        """Patience has ended: what is unclear is asked for again when it is the family's turn."""
        if self.is_unclear:
            self._family.unfinished = self._intent

    def next_pause(self) -> float:
        """How long to wait before the next attempt: as asked, else longer each time."""
        if self.retry_in is not None:
            return self.retry_in
        return min(_FIRST_PAUSE * 2.0 ** min(self.experience.attempts - 1, 10), _LONGEST_PAUSE)

    def _differences(self, document: Document) -> list[str]:
        """Where an answer is not what was asked for, or not what is known."""
        intent = self._intent
        if intent.expected is None:
            return []
        if intent.record is None:
            given = shown(intent.kind, intent.expected)
            return [n for n in intent.expected if differing_fields({n: given[n]}, {n: document[n]})]
        fields = differing_fields(intent.expected, document, intent.untold)
        if intent.grown:
            former = intent.record.document[intent.grown]
            if document[intent.grown][:-1] != former or len(document[intent.grown]) != len(former) + 1:
                fields.append(intent.grown)
        return fields

    def _contradict(self, key: str, detail: str) -> None:
        self._write("contradicted", key, None, None, detail=detail)

    def _write(
        self, event: str, key: str, version: int | None, document: Document | None, **more: object
    ) -> None:
        self._ledger.write(
            Entry(
                event=event,  # type: ignore[arg-type]
                kind=self._intent.kind,
                key=key,
                version=version,
                document=document,
                operation=self._intent.operation,
                due=self._due,
                at=self._clock.monotonic(),
                **more,  # type: ignore[arg-type]
            )
        )


def _key(intent: Intent) -> str:
    return intent.record.key if intent.record is not None else intent.path.rpartition("/")[2]


def _version(etag: str | None) -> int:
    return int((etag or '"-1"').strip('W/"'))
