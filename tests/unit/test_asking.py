"""Asking for a step of a platform whose processes die: it is taken once, whatever becomes of answers."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
import pytest

from manystore.moves.tasks import Action, Task
from mystira.clients.errors import ProblemError, UnreachableError
from mystira.clients.service import Answer, Service
from mystira.demonstration.asking import PatientAdmin

GONE = UnreachableError(url="http://here", reason="Connection reset by peer")
BUSY = ProblemError(status=503, code="unavailable", detail="postgres cannot be asked just now")
OPEN = ProblemError(status=409, code="step_refused", detail="verify is running", reasons=("wait for it",))


class Platform(Service):
    """Keeps a board, and fails as it is told: before a request has its effect, or after it."""

    def __init__(self, *, before: tuple[Exception, ...] = (), after: tuple[Exception, ...] = ()) -> None:
        self.before, self.after = [*before], [*after]
        self.requested: list[Task] = []

    async def ask(
        self,
        method: str,
        path: str,
        *,
        content: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        if method == "GET":
            if not self.requested:
                raise ProblemError(status=404, code="not_found", detail="No step was ever asked for.")
            return _answer(self.requested[-1])
        if self.before:
            raise self.before.pop(0)
        if self.requested and self.requested[-1].is_open:
            raise OPEN
        action = Action(path.rpartition("/")[2])
        now = datetime(2026, 1, 1, tzinfo=UTC)
        number = str(len(self.requested) + 1)
        self.requested.append(
            Task(id=number, kind="accounts", action=action, state="requested", actor="", requested_at=now)
        )
        if self.after:
            raise self.after.pop(0)
        return _answer(self.requested[-1])


def _answer(task: Task) -> Answer:
    return Answer(status=200, body=msgspec.to_builtins(task), etag=None)


@pytest.mark.parametrize("lost", [{"before": (GONE, BUSY)}, {"after": (GONE,)}, {"after": (BUSY,)}])
async def test_a_step_is_asked_for_once(lost: dict[str, tuple[Exception, ...]]) -> None:
    """What was not written down is asked for again; what was, is found though its answer was lost."""
    platform = Platform(**lost)
    task = await PatientAdmin(platform).request("accounts", Action.VERIFY)
    assert [each.id for each in platform.requested] == [task.id] == ["1"]


async def test_a_step_of_somebody_else_is_not_taken_for_ours() -> None:
    """One that was there before is what it is: a refusal with its reasons."""
    platform = Platform()
    admin = PatientAdmin(platform)
    await admin.request("accounts", Action.VERIFY)
    with pytest.raises(ProblemError) as refused:
        await admin.request("accounts", Action.VERIFY)
    assert refused.value.reasons == ("wait for it",)


async def test_patience_ends() -> None:
    """A platform that stays away is told as it is."""
    with pytest.raises(UnreachableError):
        await PatientAdmin(Platform(before=(GONE,) * 1000), patience=0.1).request("accounts", Action.PLAN)
