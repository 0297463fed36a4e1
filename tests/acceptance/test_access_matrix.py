"""Who reaches what: each role × each route × one's own, somebody else's and what is not there.

The matrix is made from the routes that the services declare, so a new route is in it by itself; what it needs
in order to be asked is in access.py. Each cell is compared with the declaration, and is really asked.
"""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from mystira.domain.accounts.model import Role
from mystira.http.callers import SIGNED_IN, STAFF
from mystira.http.operations import Operation
from mystira.http.service import Service
from mystira.serve.api import compose
from tests.acceptance.access import (
    ABSENT,
    NOT_MADE,
    OWNED,
    body_of,
    claims_of,
    path_of,
    request_of,
)
from tests.acceptance.askers import CALLERS, Asking, World, make_world
from tests.callers import let_in
from tests.reference_pages import services
from tests.refusals import check_problem, written
from tests.serving import direct, memory_api

DECLARED = {
    operation.name: (service, operation) for service in services() for operation in service.operations
}
OPEN = {"signUp", "signIn", "confirmSignIn", "getMedia", "getMediaForever"}
"""What nobody needs to sign in for, by decision: a page shows pictures by their addresses alone."""
BY_ONE_FACTOR = {"getMe", "signOut", "beginSecondFactor", "confirmSecondFactor", "showSecondFactor"}
"""What staff may ask for before they have shown their second factor, by decision: nothing else at all."""
EMPTY = {"listScores", "listConsents", "listDeletions"}
"""Lists of what belongs to a record: where that is not there, they are empty for whoever reaches all."""
KEPT_OUT = ("not_signed_in", "not_allowed", "second_factor_needed")
PLACES = ("own", "others'", "absent")


@pytest_asyncio.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    """An API in memory, asked by nobody in particular. One for all: each cell makes what it needs."""
    async with memory_api() as api, direct(api.application) as nobody:
        api.client = nobody
        yield await make_world(api)


# -- what is declared ----------------------------------------------------------------------------------


DECLARATIONS = [pytest.param(*each, id=name) for name, each in DECLARED.items()]
CHANGING = [
    pytest.param(*each, id=name)
    for name, each in DECLARED.items()
    if each[1].method != "GET" and not each[1].allows.anyone
]
OF_SOMEBODY = [pytest.param(*each, id=name) for name, each in DECLARED.items() if each[1].owner is not None]


@pytest.mark.parametrize(("service", "operation"), DECLARATIONS)
def test_a_declaration_leaves_nothing_open(service: Service, operation: Operation[Any]) -> None:
    """Open to everybody is what was decided to be; staff have the Admin API to themselves; a path that names
    what is somebody's is held to its owner wherever players may ask.
    """
    allows = operation.allows
    assert allows.anyone is (operation.name in OPEN)
    assert allows.one_factor is (operation.name in BY_ONE_FACTOR)
    if service.name == "adminApi":
        assert allows.roles <= STAFF.roles
    if service.prefix.startswith("/internal/"):
        assert allows.services
        assert not allows.roles
    owned = [name for name in operation.path_parameters if name in OWNED]
    if owned and not allows.roles <= {Role.SUPER_ADMIN}:
        assert operation.owner is not None
        assert operation.owner.parameter in owned
        assert operation.owner.kind == OWNED[operation.owner.parameter]
    if operation.owner is not None:
        assert operation.owner.parameter in operation.path_parameters


def test_what_is_listed_as_open_is_there() -> None:
    """No name stands in a list that no operation has any more."""
    assert DECLARED.keys() >= OPEN | BY_ONE_FACTOR | NOT_MADE.keys()


# -- what is so ----------------------------------------------------------------------------------------


def _expected(operation: Operation[Any], name: str, asking: Asking, place: str) -> str:
    """What a cell must come to, by the declaration alone: a code of refusal, or `reached`."""
    allows, caller = operation.allows, asking.caller
    if not allows.anyone and not caller.is_known:
        return "not_signed_in"
    if not allows.anyone and caller.lacks_second_factor and operation.name not in BY_ONE_FACTOR:
        return "second_factor_needed" if caller.role in allows.roles else "not_allowed"
    if not allows.admits(caller):
        return "not_allowed"
    if operation.name in EMPTY and caller.reaches_all:
        return "reached"
    is_theirs = operation.owner is None or caller.reaches_all or place == "own"
    if not is_theirs or place == "absent" or name in NOT_MADE.get(operation.name, ()):
        return "nothing"
    return "reached"


def _found(answer: httpx.Response) -> str:
    """What a cell came to."""
    if answer.status_code < 400:
        return "reached"
    code = str(check_problem(answer)["code"])
    if code in KEPT_OUT:
        return code
    if code in ("not_found", "unknown_kind"):
        return "nothing"
    # The handler was reached, and has its own reasons.
    assert answer.status_code < 500, answer.text
    return "reached"


def _places(operation: Operation[Any], asking: Asking) -> list[str]:
    if not operation.path_parameters:
        return ["own"]
    # Who has no account has nothing of their own, and of what is nobody's there is no own.
    has_own = asking.caller.account_id is not None and operation.owner is not None
    return [each for each in PLACES if each != "own" or has_own]


async def _ask(world: World, operation: Operation[Any], asking: Asking, path: str) -> httpx.Response:
    sent = await request_of(world, operation, asking.caller.account_id)
    sent["headers"] |= asking.headers
    return await world.api.client.request(operation.method, path, **sent)


@pytest.mark.parametrize(("service", "operation"), DECLARATIONS)
async def test_every_cell_is_as_declared(world: World, service: Service, operation: Operation[Any]) -> None:
    """Whom an operation is for gets through to what is theirs; to all others it says no."""
    wrong = []
    standing = await path_of(world, service, operation, account_id=world.other.account_id)
    for name, make in CALLERS.items():
        asking = await make(world, service)
        for place in _places(operation, asking):
            expected = _expected(operation, name, asking, place)
            path = standing
            if expected not in KEPT_OUT:
                # All made anew, since the cell before may have deleted it.
                asking, world.other = await make(world, service), await let_in(world.api.platform)
                mine, theirs = asking.caller.account_id, world.other.account_id
                whose = {"own": mine or theirs, "others'": theirs, "absent": None}[place]
                path = await path_of(world, service, operation, account_id=whose)
            answer = await _ask(world, operation, asking, path)
            found = _found(answer)
            if found != expected:
                wrong.append((name, place, expected, found, answer.text[:200]))
            if found in KEPT_OUT:
                assert ("www-authenticate" in answer.headers) is (found == "not_signed_in")
    assert wrong == []


@pytest.mark.parametrize(("service", "operation"), CHANGING)
async def test_who_is_kept_out_changes_nothing(
    world: World, service: Service, operation: Operation[Any]
) -> None:
    """Not even with everything else right: no store has a change more than before."""
    for name in ("nobody", "a guest", "a service", "a super admin without a second factor"):
        asking = await CALLERS[name](world, service)
        if not _is_kept_out(operation, asking):
            continue
        path = await path_of(world, service, operation, account_id=world.other.account_id)
        sent = await request_of(world, operation, asking.caller.account_id)
        sent["headers"] |= asking.headers
        before = await written(world.api)
        answer = await world.api.client.request(operation.method, path, **sent)
        assert answer.status_code in (401, 403, 404)
        assert await written(world.api) == before


def _is_kept_out(operation: Operation[Any], asking: Asking) -> bool:
    return not operation.allows.admits(asking.caller) or operation.owner is not None


@pytest.mark.parametrize(("service", "operation"), OF_SOMEBODY)
async def test_what_is_somebody_elses_looks_like_nothing(
    world: World, service: Service, operation: Operation[Any]
) -> None:
    """To the letter, but for the id that was asked for; also where what was sent along is wrong."""
    asking = await CALLERS["a user"](world, service)
    for query in ("", "?no=such"):
        told = []
        for account_id in (world.other.account_id, None):
            path = await path_of(world, service, operation, account_id=account_id)
            headers = {**asking.headers, "If-Match": "*"}
            answer = await world.api.client.request(operation.method, path + query, headers=headers)
            ids = [part for part in path.split("/") if len(part) == len(ABSENT)]
            told.append(_plain(answer, ids))
        assert told[0] == told[1]
        assert told[0][0] == 404


def _plain(answer: httpx.Response, ids: list[str]) -> tuple[int, list[str], str]:
    """An answer without what differs from one request to the next."""
    text = answer.text.replace(answer.headers["x-correlation-id"], "…")
    for each in ids:
        text = text.replace(each, "…")
    names = sorted(name for name in answer.headers if name != "content-length")
    return answer.status_code, names, text


def _claiming() -> Iterator[Any]:
    for service, operation in DECLARED.values():
        if not operation.allows.roles <= {Role.SUPER_ADMIN}:
            for field, kind in claims_of(operation).items():
                yield pytest.param(service, operation, field, kind, id=f"{operation.name}.{field}")


@pytest.mark.parametrize(("service", "operation", "field", "kind"), list(_claiming()))
async def test_what_is_somebody_elses_cannot_be_named(
    world: World, service: Service, operation: Operation[Any], field: str, kind: str
) -> None:
    """A record named in a body or a query is held to its owner as one in a path is: another's and none are
    answered alike, nothing is shown of it, and nothing is done to it.
    """
    asking = await CALLERS["a user"](world, service)
    mine, theirs = asking.caller.account_id, world.other.account_id
    assert mine is not None
    named = {"accounts": theirs, "user_profiles": await world.profile_of(theirs)}
    named["game_sessions"] = await world.session_of(theirs)
    told, before = [], None
    path = await path_of(world, service, operation, account_id=mine)
    body = await body_of(world, operation, mine)
    for value in (named[kind], ABSENT):
        headers = {**asking.headers, "If-Match": "*"}
        if operation.has_body:
            sent: dict[str, Any] = {"json": {**body, field: value}}
        else:
            sent = {"params": {field: value}}
        before = await written(world.api)
        answer = await world.api.client.request(operation.method, path, headers=headers, **sent)
        assert await written(world.api) == before
        told.append(_plain(answer, [value]))
    assert told[0] == told[1]
    assert told[0][0] >= 400 or json.loads(told[0][2])["items"] == []


async def test_a_head_is_held_to_the_same_as_a_get(world: World) -> None:
    """What answers GET answers HEAD, to the same callers."""
    for service, operation in DECLARED.values():
        if operation.method == "GET" and not operation.allows.anyone:
            path = await path_of(world, service, operation, account_id=world.other.account_id)
            assert (await world.api.client.head(path)).status_code == 401


async def test_every_route_of_the_application_is_in_the_matrix(world: World) -> None:
    """There is no way in but those that are declared, health, the documents, and the pages to play.

    The pages know visitors by cookies; whose things they show is tested in a browser (tests/browser).
    """
    outside = type(world.api.outside)(
        keys=world.api.outside.keys, limits=world.api.outside.limits, outgoing=world.api.outside.outgoing
    )
    application: Any = compose(world.api.platform, outside, {})
    known = {service.prefix + operation.path for service, operation in DECLARED.values()}
    known |= {"/health/live", "/health/ready"}
    known |= {f"{service.prefix}/{page}" for service in services() for page in ("docs", "openapi.json")}
    routes = {route.path_format for route in application._application.routes}
    pages = {path for path in routes if path == "/play" or path.startswith("/play/")}
    assert pages
    assert routes - pages == known
    assert len(SIGNED_IN.roles) == 4
