"""Both APIs, asked whatever their documents allow and forbid: no error of ours, and no word broken.

Schemathesis asks (tests/acceptance/fuzzing.py). The run here is short and always the same; the long
one, which asks for other things with each seed, is `make prove ARGS=requests`.
"""

from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import pytest
import pytest_asyncio
from msgspec import Meta, Struct

from mystira.http.application import make_application
from mystira.http.callers import ANYONE, NOBODY
from mystira.http.operations import Answer, Call, Operation, show
from mystira.http.problems import ProblemError
from mystira.http.service import Service
from mystira.settings import Settings
from tests.acceptance.access import NOT_MADE
from tests.acceptance.askers import World
from tests.acceptance.fuzzing import Fuzzed, fuzz, fuzzed_world, label
from tests.callers import let_in
from tests.serving import memory_api, served, services_of

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture(scope="module")
async def world(embedded: Settings) -> AsyncIterator[World]:
    """An API on real servers, for both runs."""
    async with fuzzed_world(embedded) as made:
        yield made


@pytest.mark.parametrize("name", ["appApi", "appInternal", "adminApi"])
async def test_nothing_that_can_be_asked_breaks_a_word(world: World, tmp_path: Path, name: str) -> None:
    """No status of 500 or more, and no answer other than the document says, to requests right and wrong."""
    service = next(each for each in services_of(world.api.platform) if each.name == name)
    fuzzed = await fuzz(world, service, tmp_path, examples=2)
    assert fuzzed.is_clean, fuzzed.told
    assert fuzzed.server_errors == 0
    assert all(count.total() for count in fuzzed.answers.values())
    # Not all was refused; but of what there is nothing, and out of turn in a move, nothing can be done.
    made = {label(each) for each in service.operations if each.name not in NOT_MADE}
    assert len(made & fuzzed.done) >= 0.75 * len(made), made - fuzzed.done


# -- the check is checked ------------------------------------------------------------------------------


class Wide(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    number: Annotated[int, Meta(ge=0, le=1000)] = 0


class Narrow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    number: Annotated[int, Meta(ge=0, le=10)] = 0


class Shown(Struct, frozen=True, kw_only=True):
    number: int


async def _fails(call: Call[Wide]) -> Answer:
    raise RuntimeError("planted")


async def _misshapes(call: Call[Wide]) -> Answer:
    return show({"number": "seven"})


async def _strays(call: Call[Wide]) -> Answer:
    return show(Shown(number=1), status=HTTPStatus.NON_AUTHORITATIVE_INFORMATION)


async def _refuses(call: Call[Wide]) -> Answer:
    raise ProblemError("step_refused", "Planted.")


async def _answers(call: Call[Any]) -> Answer:
    return show(Shown(number=1))


def _operation(path: str, handle: Any, takes: type[Struct] = Wide) -> Operation[Any]:
    return Operation(
        method="POST",
        path=path,
        name=path[1:],
        summary="Planted",
        takes=takes,
        handle=handle,
        answers={200: Shown},
        allows=ANYONE,
        refuses=("contended",),
        example={"number": 1},
    )


def _service(*operations: Operation[Any]) -> Service:
    return Service(
        name="planted", prefix="/planted", title="Planted", description="Faults.", operations=operations
    )


SOUND = _operation("/sound", _answers)
PLANTED = (
    _operation("/failing", _fails),
    _operation("/misshaping", _misshapes),
    _operation("/straying", _strays),
    _operation("/refusing", _refuses),
)


async def _planted(folder: Path) -> Fuzzed:
    """A run against faults; of two operations the document says another thing than the service does."""
    served_forms = {"/strict": Narrow, "/lenient": Wide}
    told_forms = {"/strict": Wide, "/lenient": Narrow}
    serving, telling = (
        _service(SOUND, *PLANTED, *(_operation(path, _answers, form) for path, form in forms.items()))
        for forms in (served_forms, told_forms)
    )

    async def nobody(shown: str | None, *, audience: str) -> Any:
        return NOBODY

    async with memory_api() as api:
        application = make_application([serving], authenticate=nobody)
        async with served(application, api.settings) as client:
            api.client = client
            world = World(api, "", await let_in(api.platform))
            return await fuzz(world, telling, folder, examples=10)


async def test_each_planted_fault_is_found(tmp_path: Path) -> None:
    """An error of ours, a wrong shape, an undeclared status, an undeclared code, and both kinds of lies."""
    fuzzed = await _planted(tmp_path)
    found = {name.removeprefix("POST /"): checks for name, checks in fuzzed.failures.items()}
    assert fuzzed.is_whole, fuzzed.told
    assert "not_a_server_error" in found["failing"]
    assert "response_schema_conformance" in found["misshaping"]
    assert "status_code_conformance" in found["straying"]
    assert "refusals_are_declared" in found["refusing"]
    assert "positive_data_acceptance" in found["strict"]
    assert "negative_data_rejection" in found["lenient"]
    assert "sound" not in found
    assert fuzzed.server_errors > 0
