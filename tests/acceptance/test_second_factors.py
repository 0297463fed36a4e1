"""Staff over HTTP: by mail alone they may set a second factor up and show it, and nothing else."""

from typing import Any

import httpx
import msgspec

from mystira.domain.accounts.model import Role
from mystira.domain.second_factors.kind import SECOND_FACTORS
from mystira.domain.second_factors.model import SecondFactor
from mystira.domain.second_factors.totp import code_at
from tests.callers import Member, let_in
from tests.refusals import check_problem
from tests.serving import Api, memory_api
from tests.unit.clocks import ManualClock

_FACTOR = "/api/v1/second-factor"


async def _post(api: Api, who: Member, path: str, **content: Any) -> httpx.Response:
    return await api.client.post(path, json=content, auth=who.shows)


async def _set_up(api: Api, who: Member) -> tuple[str, list[str]]:
    """The secret of a second factor that counts, and its recovery codes."""
    begun = await api.client.post(_FACTOR, auth=who.shows)
    assert begun.status_code == 200, begun.text
    secret = str(begun.json()["secret"])
    code = code_at(secret, api.platform.clock.now())
    finished = await _post(api, who, f"{_FACTOR}/confirm", code=code)
    assert finished.status_code == 200, finished.text
    return secret, list(finished.json()["recoveryCodes"])


async def _moves(api: Api, who: Member) -> str:
    answer = await api.client.get("/admin/api/moves", auth=who.shows)
    return "reached" if answer.status_code == 200 else str(check_problem(answer)["code"])


async def test_a_new_admin_sets_a_second_factor_up_and_is_staff() -> None:
    """From a sign-in by mail, over the app's secret, to the Admin API; the next sign-in shows it again."""
    clock = ManualClock()
    async with memory_api(clock=clock) as api:
        ada = await let_in(api.platform, role=Role.ADMIN, second_factor=False)
        me = (await api.client.get("/api/v1/me", auth=ada.shows)).json()
        assert (me["role"], me["lacksSecondFactor"]) == ("Admin", True)
        assert await _moves(api, ada) == "second_factor_needed"
        secret, recovery = await _set_up(api, ada)
        assert await _moves(api, ada) == "reached"
        again = await let_in(api.platform, account_id=ada.account_id, second_factor=False)
        assert await _moves(api, again) == "second_factor_needed"
        clock.advance(60)
        used = code_at(secret, clock.now())
        assert (await _post(api, again, f"{_FACTOR}/show", code=used)).json() == {"recoveryCodesLeft": 10}
        assert await _moves(api, again) == "reached"
        third = await let_in(api.platform, account_id=ada.account_id, second_factor=False)
        refused = await _post(api, third, f"{_FACTOR}/show", code=used)
        assert check_problem(refused)["code"] == "wrong_second_factor"
        shown = await _post(api, third, f"{_FACTOR}/show", code=recovery[0])
        assert shown.json() == {"recoveryCodesLeft": 9}
        me = (await api.client.get("/api/v1/me", auth=third.shows)).json()
        assert me["lacksSecondFactor"] is False


async def test_its_owner_is_told_by_mail() -> None:
    """Whoever set it up, so that nobody does it behind somebody's back."""
    async with memory_api() as api:
        ada = await let_in(api.platform, role=Role.ADMIN, second_factor=False)
        await _set_up(api, ada)
        account = await api.platform.accounts.get(ada.account_id)
        assert account is not None
        await api.outside.outgoing.close(10)
        assert api.outside.mailbox is not None
        [kept] = await api.outside.mailbox.letters(account.value.email)
        assert kept.subject == "Your account has a second factor"


async def test_somebody_who_becomes_staff_needs_it_at_once() -> None:
    """The sign-in that a family had reaches its own by mail; as staff's it waits for the second factor."""
    async with memory_api() as api:
        ada = await let_in(api.platform, second_factor=False)
        own = f"/api/v1/accounts/{ada.account_id}"
        assert (await api.client.get(own, auth=ada.shows)).status_code == 200
        role = {"role": "SuperAdmin", "reason": "Runs it with us"}
        given = await api.client.put(f"/admin/api/people/{ada.account_id}/role", json=role)
        assert given.status_code == 200
        for path in (own, "/api/v1/accounts", "/api/v1/scenarios"):
            answer = await api.client.get(path, auth=ada.shows)
            assert check_problem(answer)["code"] == "second_factor_needed"
        assert (await api.client.delete("/api/v1/sign-ins/current", auth=ada.shows)).status_code == 204


async def test_families_have_none() -> None:
    """It is for staff: whoever is not is told so, and not asked for one."""
    async with memory_api() as api:
        ada = await let_in(api.platform, second_factor=False)
        assert check_problem(await api.client.post(_FACTOR, auth=ada.shows))["code"] == "not_allowed"


async def test_a_lost_one_is_taken_away_by_who_runs_the_platform() -> None:
    """With a reason, written down before it is done; every sign-in ends, and a new one can be set up."""
    async with memory_api() as api:
        ada = await let_in(api.platform, role=Role.ADMIN, second_factor=False)
        path = f"/admin/api/people/{ada.account_id}/second-factor/reset"
        asked = {"reason": "The telephone was lost"}
        nothing = await api.client.post(path, json=asked)
        assert check_problem(nothing)["code"] == "second_factor_not_set"
        await _set_up(api, ada)
        done = await api.client.post(path, json=asked, headers={"X-Actor": "grace"})
        assert done.status_code == 204, done.text
        assert await _moves(api, ada) == "not_signed_in"
        notes = [msgspec.json.decode(each.value) for each in await api.platform.documents.notes("audit/")]
        assert [(each["actor"], each["action"], each["reason"]) for each in notes][-1] == (
            "grace",
            "second-factor:reset",
            "The telephone was lost",
        )
        again = await let_in(api.platform, account_id=ada.account_id, second_factor=False)
        await _set_up(api, again)
        assert await _moves(api, again) == "reached"


async def test_attempts_are_limited_whatever_is_shown() -> None:
    """After five wrong ones the right one is refused too, with the time to wait."""
    clock = ManualClock()
    async with memory_api(clock=clock) as api:
        ada = await let_in(api.platform, role=Role.ADMIN, second_factor=False)
        secret, _ = await _set_up(api, ada)
        again = await let_in(api.platform, account_id=ada.account_id, second_factor=False)
        clock.advance(60)
        right = code_at(secret, clock.now())
        wrong = f"{(int(right) + 1) % 10**6:06}"
        codes = [
            check_problem(await _post(api, again, f"{_FACTOR}/show", code=wrong))["code"] for _ in range(5)
        ]
        assert codes == ["wrong_second_factor"] * 5
        refused = await _post(api, again, f"{_FACTOR}/show", code=right)
        assert check_problem(refused)["code"] == "too_often"
        assert int(refused.headers["retry-after"]) <= 3600


async def test_with_an_account_goes_its_second_factor() -> None:
    """A deleted account leaves no secret behind."""
    async with memory_api() as api:
        ada = await let_in(api.platform, role=Role.ADMIN, second_factor=False)
        await _set_up(api, ada)
        gone = await api.client.delete(f"/api/v1/accounts/{ada.account_id}", headers={"If-Match": "*"})
        assert gone.status_code == 204
        assert await api.platform.repository(SecondFactor, SECOND_FACTORS).get(ada.account_id) is None
