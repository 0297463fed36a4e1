"""Who may call an operation, and whose record it may reach."""

from typing import Any

import httpx
import msgspec
import pytest

from mystira.domain.accounts.model import Role
from mystira.http.application import make_application
from mystira.http.callers import (
    ANYONE,
    NOBODY,
    OPERATOR,
    OWN_ACCOUNT,
    SIGNED_IN,
    STAFF,
    SUPER_STAFF,
    Access,
    Caller,
    Owner,
    by_service,
    describe_access,
)
from mystira.http.operations import Answer, Call, Operation, show
from mystira.http.queries import Nothing
from mystira.http.service import Service
from tests.refusals import check_problem
from tests.serving import direct

CALLERS = {
    None: NOBODY,
    "out of date": NOBODY,
    "guest": Caller(role=Role.GUEST, account_id="guest"),
    "user": Caller(role=Role.USER, account_id="user"),
    "admin": Caller(role=Role.ADMIN, account_id="admin", second_factor=True),
    "super": Caller(role=Role.SUPER_ADMIN, account_id="super", second_factor=True),
    "admin by mail": Caller(role=Role.ADMIN, account_id="admin"),
    "super by mail": Caller(role=Role.SUPER_ADMIN, account_id="super"),
    "publisher": Caller(service="publisher"),
    "operator": OPERATOR,
}
"""Who shows which header."""

ACCESSES = [
    (ANYONE, set(CALLERS)),
    (SIGNED_IN, {"guest", "user", "admin", "super", "operator"}),
    (STAFF, {"admin", "super", "operator"}),
    (SUPER_STAFF, {"super", "operator"}),
    (by_service("publisher"), {"publisher"}),
    (STAFF | by_service("publisher"), {"admin", "super", "operator", "publisher"}),
    (SUPER_STAFF.by_one_factor(), {"super", "super by mail", "operator"}),
    (SUPER_STAFF.by_one_factor() | STAFF, {"admin", "super", "operator"}),
]


async def _authenticate(shown: str | None, *, audience: str) -> Caller:
    assert audience == "s"
    return CALLERS[shown]


async def _handle(call: Call[Any]) -> Answer:
    return show(call.caller)


def operation(access: Access, owner: Owner | None = None) -> Operation[Any]:
    return Operation(
        method="GET",
        path="/{accountId}",
        name="look",
        summary="Look",
        takes=Nothing,
        handle=_handle,
        answers={200: Caller},
        allows=access,
        owner=owner,
    )


async def _ask(asked: Operation[Any], shown: str | None, path: str = "/x") -> httpx.Response:
    service = Service(name="s", prefix="/s", title="S", description="", operations=(asked,))
    async with direct(make_application([], [service], authenticate=_authenticate)) as client:
        headers = {} if shown is None else {"Authorization": shown}
        return await client.get(f"/s{path}", headers=headers)


@pytest.mark.parametrize(
    ("access", "admitted"),
    ACCESSES,
    ids=[f"{describe_access(access)}{', by one factor' * access.one_factor}" for access, _ in ACCESSES],
)
async def test_an_operation_admits_whom_it_names(access: Access, admitted: set[str | None]) -> None:
    """Those are known to the handler; of the rest, whoever is known gets 403 and nobody in particular 401."""
    for shown, caller in CALLERS.items():
        answer = await _ask(operation(access), shown)
        if shown in admitted:
            assert msgspec.json.decode(answer.content, type=Caller) == caller
            continue
        code = "not_signed_in"
        if caller.is_known:
            code = "second_factor_needed" if caller.role in access.roles else "not_allowed"
        assert check_problem(answer)["code"] == code
        assert ("www-authenticate" in answer.headers) is not caller.is_known


async def test_the_challenge_says_whether_a_token_came() -> None:
    """Without a token it only names the scheme; with one that does not hold it says so (RFC 6750)."""
    without = await _ask(operation(SIGNED_IN), None)
    with_one = await _ask(operation(SIGNED_IN), "out of date")
    assert without.headers["www-authenticate"] == "Bearer"
    assert with_one.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_what_was_sent_is_not_judged_before_who_sent_it() -> None:
    """Whoever may not ask does not learn whether the question was well put."""
    for shown, code in ((None, "not_signed_in"), ("user", "not_allowed"), ("admin", "unknown_parameter")):
        answer = await _ask(operation(STAFF), shown, "/x?no-such=parameter")
        assert check_problem(answer)["code"] == code


OWNERS = {"mine": "USER", "theirs": "somebody", "nobodys": None}


async def _find(key: str) -> str | None:
    return OWNERS.get(key)


@pytest.mark.parametrize(
    ("owner", "own", "others"),
    [
        (OWN_ACCOUNT, "user", ["somebody", "absent"]),
        (Owner(kind="things", parameter="accountId", find=_find), "mine", ["theirs", "nobodys", "absent"]),
    ],
    ids=["accounts", "things"],
)
async def test_what_is_others_is_answered_as_if_it_were_not_there(
    owner: Owner, own: str, others: list[str]
) -> None:
    """All but the key is the same, to the letter; the owner reaches it, and so does a SuperAdmin."""
    asked = operation(SIGNED_IN, owner)
    assert (await _ask(asked, "user", f"/{own}")).status_code == 200
    told = set()
    for key in others:
        problem = check_problem(await _ask(asked, "user", f"/{key}?no-such=parameter"))
        told.add((problem["code"], problem["detail"].replace(key, "…"), problem.get("path")))
        assert (await _ask(asked, "super", f"/{key}")).status_code == 200
    assert [code for code, *_ in told] == ["not_found"]


def test_staff_reach_nobodys_records_before_their_second_factor() -> None:
    """By mail alone a SuperAdmin has what is their own; a program of the platform has no mail to lose."""
    assert not CALLERS["super by mail"].reaches("somebody")
    assert CALLERS["super by mail"].reaches("super")
    assert CALLERS["super"].reaches("somebody")
    assert not OPERATOR.lacks_second_factor


def test_who_has_no_account_owns_nothing() -> None:
    """A service owns no record, not even one that belongs to nobody."""
    assert not Caller(service="publisher").owns(None)
    assert not NOBODY.reaches(None)
    assert OPERATOR.reaches(None)


def test_an_operation_cannot_be_declared_without_saying_who_may_call_it() -> None:
    """There is no default, so none can be forgotten."""
    declared: dict[str, Any] = msgspec.structs.asdict(operation(ANYONE))
    del declared["allows"]
    with pytest.raises(TypeError, match="allows"):
        Operation(**declared)
