"""What the Admin API does: moves under a worker, certificates, the queue, records side by side."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from manystore.errors import MissingParentError, NotRepresentableError
from manystore.records import Record
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.placement import PLACEMENT
from mystira.settings import Settings
from tests.refusals import check_problem
from tests.serving import Api, Body, served_api

MOVES, QUEUE = "/admin/api/moves", "/admin/api/queue"
STEPS = ("plan", "start", "verify", "repair", "cut-over", "cut-back", "recheck", "finish", "reopen")
NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest_asyncio.fixture
async def own(embedded: Settings) -> AsyncIterator[Api]:
    """An API whose kinds no other test moves."""
    async with served_api(embedded) as running:
        yield running


async def ask(api: Api, step: str, kind: str = "accounts", **sent: Any) -> Body:
    """Ask for a step and wait for its end."""
    answer = await api.client.post(f"{MOVES}/{kind}/{step}", **sent)
    assert answer.status_code == 202, answer.text
    task: Body = answer.json()
    assert (task["kind"], task["action"], task["state"]) == (kind, step, "requested")
    async with asyncio.timeout(120):
        while task["state"] in ("requested", "running"):
            await asyncio.sleep(0.02)
            task = (await api.client.get(answer.headers["location"])).json()
    return task


async def test_a_kind_is_moved_there_and_back(own: Api) -> None:
    """Plan, start, verify, cut over, cut back: each a task with its result; records stay as they are."""
    accounts = [await own.sign_up() for _ in range(5)]
    status = (await own.client.get(f"{MOVES}/accounts")).json()
    assert (status["phase"], status["truth"], status["copy"]) == ("CosmosOnly", "documents", None)
    assert (await own.client.get(f"{MOVES}/accounts/task")).status_code == 404
    assert (await ask(own, "plan"))["result"]["isClear"] is True
    assert (await ask(own, "start", headers={"X-Actor": "ada"}))["actor"] == "ada"
    verified = await ask(own, "verify", json={})
    assert (verified["state"], verified["result"]["differences"]) == ("done", 0)
    assert (await ask(own, "recheck"))["result"]["holds"] is True
    assert (await ask(own, "cut-over"))["state"] == "done"
    status = (await own.client.get(f"{MOVES}/accounts")).json()
    assert (status["phase"], status["truth"], status["task"]["action"]) == (
        "DualWritePostgresRead",
        "postgres",
        "cut-over",
    )
    changed = await own.client.patch(
        f"/api/v1/accounts/{accounts[0]['id']}",
        json={"displayName": "after"},
        headers={"If-Match": accounts[0]["etag"]},
    )
    assert changed.headers["etag"] == '"2"'
    assert (await ask(own, "cut-back"))["state"] == "done"
    for account in accounts[1:]:
        assert (await own.client.get(f"/api/v1/accounts/{account['id']}")).json() == account
    read = await own.client.get(f"/api/v1/accounts/{accounts[0]['id']}")
    assert read.json() == changed.json()


async def test_every_kind_has_its_status(api: Api) -> None:
    """The list tells of each kind what its own page tells."""
    listed = (await api.client.get(MOVES)).json()
    assert [each["kind"] for each in listed["items"]] == [entry.kind.name for entry in PLACEMENT]
    assert listed["continuation"] is None


async def test_a_step_whose_conditions_are_unmet_is_refused_at_once(own: Api) -> None:
    """409 with each condition, and no task."""
    for step, reason in (
        ("cut-over", "leads on from DualWriteCosmosRead, and accounts is at CosmosOnly"),
        ("cut-back", "leads on from DualWritePostgresRead, and accounts is at CosmosOnly"),
        ("finish", "leads on from DualWritePostgresRead or PostgresOnly"),
        ("reopen", "leads on from PostgresOnly"),
        ("verify", "there is no copy to compare with"),
        ("recheck", "There is no certificate"),
    ):
        problem = check_problem(await own.client.post(f"{MOVES}/accounts/{step}"))
        assert problem["code"] == "step_refused"
        assert reason in problem["reasons"][0]
    problem = check_problem(await own.client.post(f"{MOVES}/user_profiles/start"))
    assert "Its parent accounts" in problem["reasons"][0]
    assert (await own.client.get(f"{MOVES}/accounts/task")).status_code == 404
    await ask(own, "start")
    track = await own.platform.track("accounts")
    unfit = NotRepresentableError(store="postgres", kind="accounts", key=NOBODY, field="email", reason="r")
    await track.queue.hold(Record(NOBODY, 1, {"id": NOBODY}), unfit)
    problem = check_problem(await own.client.post(f"{MOVES}/accounts/cut-over"))
    assert problem["reasons"] == [
        "There is no certificate: verify first.",
        "1 changes are dead: look at each, mend the cause, and replay it.",
    ]


async def test_one_step_at_a_time(quick: Api) -> None:
    """While a task is open every other is refused; nobody works here, so it stays open."""
    first = await quick.client.post(f"{MOVES}/accounts/plan")
    assert first.status_code == 202
    for step in STEPS:
        sent = {"reason": "to be sure"} if step == "repair" else {}
        problem = check_problem(await quick.client.post(f"{MOVES}/accounts/{step}", json=sent))
        assert problem["code"] == "step_refused"
        assert problem["reasons"][0].startswith("plan is requested")
    assert (await quick.client.get(f"{MOVES}/accounts/task")).json()["id"] == first.json()["id"]


async def test_a_person_may_answer_for_a_step(own: Api) -> None:
    """With a reason the step is taken without a certificate, and the reason is kept with the task."""
    await own.sign_up()
    await ask(own, "start")
    assert (await own.client.post(f"{MOVES}/accounts/cut-over")).status_code == 409
    task = await ask(
        own, "cut-over", json={"overrideReason": "A drill, agreed with Ada"}, headers={"X-Actor": "bob"}
    )
    assert (task["state"], task["override"]) == (
        "done",
        {"actor": "bob", "reason": "A drill, agreed with Ada"},
    )
    audited = await own.platform.tables.notes("audit/") + await own.platform.documents.notes("audit/")
    assert any(b"A drill, agreed with Ada" in note.value for note in audited)


async def test_what_a_step_takes_is_checked(api: Api) -> None:
    """An unknown property, a reason that says nothing, an unknown step, kind or method."""
    for body, code, path in (
        (b'{"force": true}', "unknown_field", "force"),
        (b'{"overrideReason": "x"}', "out_of_range", "overrideReason"),
        (b"[]", "wrong_type", "$"),
        (b"{", "malformed_json", "$"),
    ):
        headers = {"Content-Type": "application/json"}
        answer = await api.client.post(f"{MOVES}/accounts/plan", content=body, headers=headers)
        problem = check_problem(answer)
        assert (problem["code"], problem["path"]) == (code, path)
    for method, path, code in (
        ("POST", f"{MOVES}/dragons/plan", "unknown_kind"),
        ("GET", f"{MOVES}/dragons", "unknown_kind"),
        ("GET", f"{MOVES}/dragons/task", "unknown_kind"),
        ("GET", f"{MOVES}/dragons/certificates", "unknown_kind"),
        ("GET", f"{QUEUE}/dragons", "unknown_kind"),
        ("POST", f"{QUEUE}/%00/replay", "unknown_kind"),
        ("GET", f"/admin/api/compare/dragons/{NOBODY}", "unknown_kind"),
        ("POST", f"{MOVES}/accounts/fly", "unknown_route"),
        ("GET", f"{MOVES}/accounts/plan", "method_not_allowed"),
        ("DELETE", f"{MOVES}/accounts", "method_not_allowed"),
    ):
        assert check_problem(await api.client.request(method, path))["code"] == code, path
    headers = {"X-Actor": "a b"}
    problem = check_problem(await api.client.post(f"{MOVES}/accounts/plan", headers=headers))
    assert (problem["code"], problem["path"]) == ("invalid_header", "X-Actor")


async def test_certificates_are_listed_and_checked(own: Api) -> None:
    """Newest first, page by page, each whole under its name; one that was altered is told as such."""
    await own.sign_up()
    await ask(own, "start")
    for _ in range(3):
        await ask(own, "verify")
    path = f"{MOVES}/accounts/certificates"
    listed = (await own.client.get(path)).json()["items"]
    names = [each["name"] for each in listed]
    assert names == sorted(names, reverse=True)
    assert [each["records"] for each in listed] == [1, 1, 1]
    first = (await own.client.get(path, params={"limit": "2"})).json()
    rest = (await own.client.get(path, params={"continuation": first["continuation"]})).json()
    assert [each["name"] for each in first["items"] + rest["items"]] == names
    assert rest["continuation"] is None
    whole = (await own.client.get(f"{path}/{names[0]}")).json()
    assert (whole["kind"], whole["records"], whole["previous"] is None) == ("accounts", 1, False)
    file = own.platform.certificates.folder / names[1]
    file.write_text(file.read_text().replace('"records": 1', '"records": 2'))
    assert check_problem(await own.client.get(f"{path}/{names[1]}"))["code"] == "certificate_invalid"
    assert "altered" in (await own.client.get(path)).json()["items"][1]["problem"]
    for name in ("accounts.json", "..%2f..%2fplatform.json", "%2e%2e", names[0] + "x", "%00", "x" * 300):
        assert check_problem(await own.client.get(f"{path}/{name}"))["status"] == 404


async def test_the_queue_is_shown_and_settled(own: Api) -> None:
    """Listed by state and page, read one by one, replayed, dropped with a reason that is kept."""
    await ask(own, "start")
    track = await own.platform.track("accounts")
    keys = [f"00000000-0000-7000-8000-00000000000{n}" for n in range(4)]
    orphan = MissingParentError(
        kind="accounts", key=keys[0], field="f", parent_kind="accounts", parent_key=NOBODY
    )
    unfit = NotRepresentableError(
        store="tables", kind="accounts", key=keys[3], field="f", reason="it is no text"
    )
    for key in keys:
        record = Record(key, 7, {"id": key, "email": "ada@example.org"})
        await track.queue.hold(record, unfit if key == keys[3] else orphan)
    listed = (await own.client.get(f"{QUEUE}/accounts")).json()
    assert [each["key"] for each in listed["items"]] == keys
    dead = (await own.client.get(f"{QUEUE}/accounts", params={"state": "dead"})).json()
    assert [each["key"] for each in dead["items"]] == keys[3:]
    first = (await own.client.get(f"{QUEUE}/accounts", params={"limit": "3"})).json()
    query = {"limit": "3", "continuation": first["continuation"]}
    rest = (await own.client.get(f"{QUEUE}/accounts", params=query)).json()
    assert [each["key"] for each in first["items"] + rest["items"]] == keys
    one = (await own.client.get(f"{QUEUE}/accounts/{keys[0]}")).json()
    assert (one["version"], one["state"], one["waitsFor"]) == (
        7,
        "parked",
        {"kind": "accounts", "key": NOBODY},
    )
    reason = {"reason": "A test left it behind"}
    dropped = await own.client.post(f"{QUEUE}/accounts/{keys[3]}/drop", json=reason)
    assert (dropped.status_code, dropped.json()) == (200, {"dropped": 1})
    again = await own.client.post(f"{QUEUE}/accounts/{keys[3]}/drop", json=reason)
    assert check_problem(again)["code"] == "not_found"
    audited = await own.platform.tables.notes("audit/")
    assert any(b"A test left it behind" in note.value for note in audited)
    replayed = await own.client.post(f"{QUEUE}/accounts/{keys[0]}/replay")
    assert (replayed.status_code, replayed.json()) == (200, {"replayed": 1})
    assert (await own.client.post(f"{QUEUE}/accounts/replay")).json()["replayed"] >= 2


async def test_what_is_asked_of_the_queue_is_checked(api: Api) -> None:
    """Unknown keys and states, keys that no record can have, a continuation of our own making."""
    for path in (f"{QUEUE}/accounts/{NOBODY}", f"{QUEUE}/accounts/1", f"{QUEUE}/accounts/%00"):
        assert check_problem(await api.client.get(path))["code"] == "not_found"
        assert check_problem(await api.client.post(f"{path}/replay"))["code"] == "not_found"
        drop = await api.client.post(f"{path}/drop", json={"reason": "because"})
        assert check_problem(drop)["code"] == "not_found"
    for query, code in (
        ("?state=lost", "invalid_parameter"),
        ("?limit=0", "invalid_parameter"),
        ("?continuation=€", "invalid_continuation"),
        ("?continuation=_w==", "invalid_continuation"),
        ("?reason=abc", "unknown_parameter"),
    ):
        assert check_problem(await api.client.get(f"{QUEUE}/accounts{query}"))["code"] == code
    missing = await api.client.post(f"{QUEUE}/accounts/{NOBODY}/drop", json={})
    assert check_problem(missing)["path"] == "reason"


async def test_a_record_is_shown_side_by_side(own: Api) -> None:
    """What differs is named to the field, masked; a reason shows the values, and is kept."""
    account = await own.sign_up(displayName="Ada")
    path = f"/admin/api/compare/accounts/{account['id']}"
    alone = (await own.client.get(path)).json()
    assert (alone["difference"], alone["following"], alone["copy"]["version"]) == ("missing", False, None)
    await ask(own, "start")
    agreeing = (await own.client.get(path)).json()
    assert (agreeing["difference"], agreeing["fields"], agreeing["following"]) == (None, [], True)
    assert agreeing["truth"]["content"] == agreeing["copy"]["content"]
    record = await own.platform.tables.get(ACCOUNTS, account["id"])
    assert record is not None
    assert record.content is not None
    rogue = Record(record.key, 9, record.content | {"displayName": "Eve"})
    await own.platform.tables.apply(ACCOUNTS, [rogue])
    differing = (await own.client.get(path)).json()
    assert (differing["difference"], differing["fields"]) == ("ahead", ["displayName"])
    assert differing["isMasked"] is True
    assert differing["truth"]["content"]["displayName"] == "[Restricted]"
    shown = (await own.client.get(path, params={"reason": "Ticket 4711"})).json()
    assert (shown["truth"]["content"]["displayName"], shown["copy"]["content"]["displayName"]) == (
        "Ada",
        "Eve",
    )
    audited = await own.platform.documents.notes("audit/")
    assert any(b"Ticket 4711" in note.value for note in audited)
    for key in (NOBODY, "1", "%00"):
        assert check_problem(await own.client.get(f"/admin/api/compare/accounts/{key}"))["status"] == 404


async def test_a_deleted_record_is_a_tombstone_on_both_sides(own: Api) -> None:
    """What was deleted is still comparable by its version."""
    account = await own.sign_up()
    await ask(own, "start")
    await own.client.delete(f"/api/v1/accounts/{account['id']}", headers={"If-Match": "*"})
    async with asyncio.timeout(120):
        while True:
            found = (await own.client.get(f"/admin/api/compare/accounts/{account['id']}")).json()
            if found["difference"] is None:
                break
            await asyncio.sleep(0.02)
    assert (found["truth"]["isDeleted"], found["copy"]["isDeleted"]) == (True, True)
    assert found["truth"]["content"] is None
