"""One request of a household: made, made again where it must be, and noted once it is answered."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from manystore.clock import Clock
from mystira.clients.errors import ProblemError, UnreachableError
from mystira.simulation.ledger import Document, Ledger
from mystira.simulation.notes import Note
from mystira.simulation.requests import PATIENCE, Asks, Experience

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_AGAIN: Final = ("contended", "request_in_progress")
"""Refusals of the moment, which are asked again as those of a busy platform are."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `take` is told the body of the answer and returns what is to be noted; `doubts` is noted
    where nobody can say whether it happened. `accepts` are refusals that are no fault, `resolves` those by
    which a repetition learns that an earlier attempt happened; `refused` is told of either.
    """

    operation: str
    method: str
    path: str
    content: Document | None = None
    query: dict[str, str] | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    take: Callable[[Any], list[Note]] = lambda _: []
    doubts: tuple[Note, ...] = ()
    accepts: tuple[str, ...] = ()
    refused: Callable[[str], None] = lambda _: None
    resolves: tuple[str, ...] = ()

    @property
    def is_write(self) -> bool:
        """Whether it changes anything."""
        return self.method != "GET"


class Asker:
    """Makes requests for the households of one process."""

    def __init__(self, service: Asks, ledger: Ledger, clock: Clock, *, patience: float = PATIENCE) -> None:
        self._service, self._ledger, self._clock, self._patience = service, ledger, clock, patience

    async def carry_out(self, ask: Ask, due: float) -> Experience:
        """Ask until there is an answer, or patience ends."""
        experience = Experience()
        is_unclear = False
        while True:
            experience.attempts += 1
            try:
                answer = await self._service.ask(
                    ask.method, ask.path, content=ask.content, query=ask.query, headers=ask.headers
                )
            except UnreachableError:
                experience.problem, pause, is_unclear = "unreachable", None, True
            except ProblemError as problem:
                if not self._may_pass(problem):
                    experience.problem = self._refuse(ask, problem, is_unclear=is_unclear)
                    return experience
                # One that fails within is told of for good, even where a repetition succeeds.
                experience.faults += problem.status == 500
                experience.problem, pause = problem.code, problem.retry_after
                is_unclear = is_unclear or problem.status != 429
            else:
                experience.problem = ""
                self._ledger.write(*ask.take(answer.body))
                return experience
            if pause is None:
                pause = min(_FIRST_PAUSE * 2.0 ** min(experience.attempts - 1, 10), _LONGEST_PAUSE)
            if self._clock.monotonic() + pause > due + self._patience:
                self._give_up(ask, is_unclear=is_unclear)
                return experience
            experience.waited += pause
            await self._clock.sleep(pause)

    def _may_pass(self, problem: ProblemError) -> bool:
        is_told_to_wait = problem.is_passing and problem.code != "too_often"
        return is_told_to_wait or problem.status >= 500 or problem.code in _AGAIN

    def _refuse(self, ask: Ask, problem: ProblemError, *, is_unclear: bool) -> str:
        """Take in a refusal that will not pass; the code of the problem, where it is one."""
        if is_unclear and problem.code in ask.resolves:
            self._ledger.write(*ask.doubts)
            ask.refused(problem.code)
            return ""
        if problem.code in ask.accepts:
            ask.refused(problem.code)
            return ""
        if problem.code in ask.resolves:
            ask.refused(problem.code)
        detail = f"{ask.operation} was refused: {problem.code}: {problem.detail}"
        kind, _, key = ask.path.removeprefix("/api/v1/").partition("/")
        self._ledger.write(Note(event="contradicted", kind=kind, key=key, detail=detail))
        return problem.code

    def _give_up(self, ask: Ask, *, is_unclear: bool) -> None:
        """Patience has ended: what may have happened is noted, and looked at when there is time."""
        if is_unclear and ask.is_write:
            self._ledger.write(*ask.doubts)
            if ask.resolves:
                ask.refused("unclear")
