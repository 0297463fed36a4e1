"""What is written past the engine with a database's own tools is seen, decided about and repaired by API."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from mystira.domain.accounts.kind import ACCOUNTS
from mystira.settings import Settings
from tests.acceptance.test_admin_api import MOVES, NOBODY, ask
from tests.contract.sqlite_by_hand import by_hand, write_by_hand
from tests.refusals import check_problem
from tests.serving import Api, Body, served_api

ROGUE = "/admin/api/rogue-writes/accounts"


@pytest_asyncio.fixture
async def own(embedded: Settings) -> AsyncIterator[Api]:
    """An API whose accounts no other test moves."""
    async with served_api(embedded) as running:
        yield running


async def psql(api: Api, statement: str, *arguments: object) -> None:
    """What somebody types into psql, who knows nothing of the engine."""
    assert api.settings.postgres_url is not None
    connection = await asyncpg.connect(api.settings.postgres_url)
    try:
        await connection.execute(statement, *arguments)
    finally:
        await connection.close()


async def rename_by_psql(api: Api, account: Body, name: str) -> None:
    await psql(api, "update accounts set display_name = $2 where id = $1::uuid", account["id"], name)


async def listed(api: Api, **query: str) -> list[Body]:
    items: list[Body] = (await api.client.get(ROGUE, params=query)).json()["items"]
    return items


async def settle(api: Api, rogue: Body, keep: str, **headers: str) -> Body:
    path = f"{ROGUE}/{rogue['key']}/{rogue['version']}/settle"
    sent = {"store": rogue["store"], "keep": keep, "reason": "Ticket 4711: the portal was open"}
    answer = await api.client.post(path, json=sent, headers=headers)
    assert answer.status_code == 200, answer.text
    body: Body = answer.json()
    return body


async def agreed(api: Api, account: Body) -> Body:
    """Both sides of a record once the copy has followed, shown with all values."""
    path = f"/admin/api/compare/accounts/{account['id']}"
    async with asyncio.timeout(120):
        while True:
            found: Body = (await api.client.get(path, params={"reason": "a test"})).json()
            if found["difference"] is None:
                return found
            await asyncio.sleep(0.02)


async def audit_of(api: Api) -> list[bytes]:
    stores = (api.platform.documents, api.platform.tables)
    return [note.value for store in stores for note in await store.notes("audit/")]


async def test_a_row_changed_by_psql_in_a_copy_is_decided_about(own: Api) -> None:
    """Seen with who did it, masked; in the way of the next step; settled for the truth; then both agree."""
    account = await own.sign_up(displayName="Ada")
    await ask(own, "start")
    await ask(own, "verify")
    assert await listed(own) == []
    await rename_by_psql(own, account, "Eve")
    [rogue] = await listed(own)
    assert (rogue["store"], rogue["key"], rogue["isMasked"]) == ("postgres", account["id"], True)
    assert rogue["by"].split()[0] == urlsplit(own.settings.postgres_url).username
    assert "Eve" not in str(rogue["evidence"])
    assert rogue["evidence"][0]["row"]["display_name"] == "[Restricted]"
    status = (await own.client.get(f"{MOVES}/accounts")).json()
    assert status["rogueWrites"] == {"documents": 0, "postgres": 1}
    problem = check_problem(await own.client.post(f"{MOVES}/accounts/cut-over"))
    assert "1 writes were made behind the engine's back in postgres" in str(problem["reasons"])
    [whole] = await listed(own, reason="Ticket 4711")
    assert whole["evidence"][0]["row"]["display_name"] == "Eve"
    done = await settle(own, rogue, "truth", **{"X-Actor": "ada"})
    assert done["kept"] == "truth"
    assert done["written"] > rogue["version"]
    assert (await agreed(own, account))["copy"]["content"]["displayName"] == "Ada"
    assert await listed(own) == []
    noted = await audit_of(own)
    assert any(b"rogue.list" in each and b"Ticket 4711" in each for each in noted)
    assert any(b"rogue.keep-truth" in each and b"ada" in each and b"Eve" in each for each in noted)
    assert (await ask(own, "verify"))["result"]["certificate"]
    assert (await ask(own, "cut-over"))["state"] == "done"


async def test_what_psql_wrote_can_be_what_stands(own: Api) -> None:
    """Adopted by the truth, of which people read it; a removal as well."""
    kept, removed = await own.sign_up(displayName="Ada"), await own.sign_up()
    await ask(own, "start")
    await rename_by_psql(own, kept, "Right after all")
    await psql(own, "delete from accounts where id = $1::uuid", removed["id"])
    for rogue in await listed(own):
        assert (await settle(own, rogue, "rogue"))["written"] is not None
    assert (await agreed(own, kept))["truth"]["content"]["displayName"] == "Right after all"
    assert (await agreed(own, removed))["truth"]["isDeleted"] is True
    assert (await own.client.get(f"/api/v1/accounts/{removed['id']}")).status_code == 404
    assert (await ask(own, "verify"))["result"]["differences"] == 0


async def test_a_document_changed_by_hand_in_a_copy_is_decided_about(own: Api) -> None:
    """The same where SQLite is the copy; its evidence is a document, masked by the labels of its fields."""
    account = await own.sign_up(displayName="Ada")
    for step in ("start", "verify", "cut-over"):
        await ask(own, step)
    held = await own.platform.documents.get(ACCOUNTS, account["id"])
    assert held is not None
    assert held.content is not None
    with by_hand(own.settings.documents_path) as connection:
        write_by_hand(connection, ACCOUNTS, account["id"], held.content | {"displayName": "Eve"})
    [rogue] = await listed(own)
    assert (rogue["store"], rogue["evidence"]["displayName"]) == ("documents", "[Restricted]")
    assert rogue["evidence"]["id"] == account["id"]
    await settle(own, rogue, "truth")
    assert (await agreed(own, account))["copy"]["content"]["displayName"] == "Ada"
    assert (await ask(own, "verify"))["result"]["certificate"]


async def test_a_decision_about_what_is_gone_is_refused(own: Api) -> None:
    """Unknown records, versions, stores and kinds; and content that stands no more."""
    account = await own.sign_up()
    await ask(own, "start")
    await rename_by_psql(own, account, "Eve")
    [first] = await listed(own)
    await rename_by_psql(own, account, "Mallory")
    sent = {"store": "postgres", "keep": "rogue", "reason": "because"}
    gone = await own.client.post(f"{ROGUE}/{account['id']}/{first['version']}/settle", json=sent)
    problem = check_problem(gone)
    assert (problem["status"], problem["code"]) == (409, "step_refused")
    assert "has been replaced since" in problem["reasons"][0]
    assert len(await listed(own)) == 2
    for path, change, code in (
        (f"{ROGUE}/{NOBODY}/1/settle", {}, "not_found"),
        (f"{ROGUE}/{account['id']}/999/settle", {}, "not_found"),
        (f"{ROGUE}/{account['id']}/one/settle", {}, "not_found"),
        (f"{ROGUE}/{account['id']}/-1/settle", {}, "not_found"),
        (f"{ROGUE}/{account['id']}/{'9' * 30}/settle", {}, "not_found"),
        (f"{ROGUE}/{account['id']}/{first['version']}/settle", {"store": "documents"}, "not_found"),
        (f"{ROGUE}/{account['id']}/{first['version']}/settle", {"keep": "both"}, "invalid_value"),
        (f"{ROGUE}/{account['id']}/{first['version']}/settle", {"reason": ""}, "out_of_range"),
        (f"/admin/api/rogue-writes/dragons/{NOBODY}/1/settle", {}, "unknown_kind"),
    ):
        answer = await own.client.post(path, json=sent | change)
        assert check_problem(answer)["code"] == code, path
    assert check_problem(await own.client.get("/admin/api/rogue-writes/dragons"))["code"] == "unknown_kind"


async def test_rogue_writes_are_listed_page_by_page(own: Api) -> None:
    """By key, then by version; each once."""
    accounts = sorted([await own.sign_up() for _ in range(3)], key=lambda each: each["id"])
    await ask(own, "start")
    for account in (*accounts, accounts[0]):
        await rename_by_psql(own, account, f"Eve {account['id']}")
        await rename_by_psql(own, account, "Mallory")
    whole = [(each["key"], each["version"]) for each in await listed(own)]
    assert whole == sorted(whole)
    assert {key for key, _ in whole} == {account["id"] for account in accounts}
    pages, query = list[tuple[str, int]](), {"limit": "3"}
    while True:
        page = (await own.client.get(ROGUE, params=query)).json()
        pages += [(each["key"], each["version"]) for each in page["items"]]
        if page["continuation"] is None:
            break
        query["continuation"] = page["continuation"]
    assert pages == whole
    answer = await own.client.get(ROGUE, params={"continuation": "€"})
    assert check_problem(answer)["code"] == "invalid_continuation"


async def test_differences_are_found_by_versions_and_repaired(own: Api) -> None:
    """What psql changed is named without reading content; a repair settles it, for a reason that is kept."""
    accounts = [await own.sign_up(displayName="Ada") for _ in range(4)]
    await ask(own, "start")
    await ask(own, "verify")
    await rename_by_psql(own, accounts[0], "Eve")
    await psql(own, "delete from accounts where id = $1::uuid", accounts[1]["id"])
    for depth, differences in (("versions", 2), ("since", 2), ("full", 2)):
        task = await ask(own, "verify", json={"depth": depth})
        assert (task["depth"], task["result"]["depth"]) == (depth, depth)
        assert (task["result"]["differences"], task["result"]["certificate"]) == (differences, None)
        assert all(" ahead in " in sample for sample in task["result"]["samples"])
    problem = check_problem(await own.client.post(f"{MOVES}/accounts/verify", json={"depth": "deep"}))
    assert (problem["code"], problem["path"]) == ("invalid_value", "depth")
    assert check_problem(await own.client.post(f"{MOVES}/accounts/repair"))["code"] == "empty_body"
    problem = check_problem(await own.client.post(f"{MOVES}/accounts/repair", json={}))
    assert (problem["code"], problem["path"]) == ("missing_field", "reason")
    sent, headers = {"reason": "Ticket 4711: a script"}, {"X-Actor": "ada"}
    task = await ask(own, "repair", json=sent, headers=headers)
    result: dict[str, Any] = task["result"]
    assert (task["state"], task["reason"], task["actor"]) == ("done", "Ticket 4711: a script", "ada")
    counted = {name: result[name] for name in ("differences", "copied", "repeated", "resolved", "left")}
    assert counted == {"differences": 2, "copied": 0, "repeated": 2, "resolved": 0, "left": 0}
    assert (await agreed(own, accounts[0]))["copy"]["content"]["displayName"] == "Ada"
    assert any(b"move.repair" in each and b"Ticket 4711: a script" in each for each in await audit_of(own))
    for depth in ("versions", "since"):
        assert (await ask(own, "verify", json={"depth": depth}))["result"]["differences"] == 0
    assert (await ask(own, "verify"))["result"]["certificate"]


async def test_a_repair_is_refused_where_nothing_follows(own: Api) -> None:
    """At once, with what to do."""
    sent = {"reason": "to be sure"}
    problem = check_problem(await own.client.post(f"{MOVES}/accounts/repair", json=sent))
    assert "there is no copy to compare with" in problem["reasons"][0]
    await ask(own, "start")
    problem = check_problem(await own.client.post(f"{MOVES}/accounts/verify", json={"depth": "since"}))
    assert problem["reasons"] == ["There is no certificate: verify first."]


@pytest.mark.parametrize("keep", ["truth", "rogue"])
async def test_people_write_on_while_it_is_decided(own: Api, keep: str) -> None:
    """No acknowledged write is lost by a decision about another record, nor by a repair of the same one."""
    account, other = await own.sign_up(displayName="Ada"), await own.sign_up(displayName="Bob")
    await ask(own, "start")
    written = 0

    async def write_on() -> None:
        nonlocal written
        for number in range(200):
            change = {"displayName": f"Bob {number}"}
            path, headers = f"/api/v1/accounts/{other['id']}", {"If-Match": "*"}
            answer = await own.client.patch(path, json=change, headers=headers)
            if answer.status_code == 200:
                written = number

    writing = asyncio.create_task(write_on())
    try:
        for _ in range(3):
            await rename_by_psql(own, account, "Eve")
            await rename_by_psql(own, other, "Mallory")
            newest = {each["key"]: each for each in await listed(own)}
            await settle(own, newest[account["id"]], keep)
            await ask(own, "repair", json={"reason": "a drill"})
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await writing
    for rogue in await listed(own):
        await settle(own, rogue, "truth")
    assert (await agreed(own, other))["truth"]["content"]["displayName"] == f"Bob {written}"
    assert (await ask(own, "verify"))["result"]["certificate"]
