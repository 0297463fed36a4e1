"""Parents' consent over HTTP: asked for by mail, given by a code, taken back at once; what waits for it."""

import datetime as dt
import re
from typing import Any

import httpx
import msgspec
import pytest

from manystore.specifications import Specification
from mystira.domain.compass.kind import COMPASS_TRACKINGS
from mystira.domain.compass.model import CompassTracking
from mystira.domain.consents.kind import PARENTAL_CONSENTS
from mystira.domain.consents.model import ConsentStatus, ParentalConsent
from mystira.domain.sessions.ending import follow_session
from tests.acceptance.table import Body, sit_down
from tests.callers import Member, let_in
from tests.refusals import check_problem
from tests.serving import Api


class Home:
    """A family that is signed in, with a child of six to nine years."""

    def __init__(self, api: Api, member: Member, profile: str) -> None:
        self.api, self.member, self.profile = api, member, profile

    async def ask(self, method: str, path: str, **sent: Any) -> httpx.Response:
        return await self.api.client.request(method, f"/api/v1/{path}", auth=self.member.shows, **sent)

    async def change(self, **change: Any) -> httpx.Response:
        path = f"profiles/{self.profile}"
        return await self.ask("PATCH", path, json=change, headers={"If-Match": "*"})

    async def request(self, *scope: str) -> Body:
        """A consent that the parent is asked for."""
        content = {"scope": list(scope)} if scope else None
        answer = await self.ask("POST", f"profiles/{self.profile}/consents", json=content)
        assert answer.status_code == 201, answer.text
        body: Body = answer.json()
        return body

    async def code(self) -> str:
        """The code in the parent's last letter."""
        account = (await self.ask("GET", f"accounts/{self.member.account_id}")).json()
        await self.api.outside.outgoing.close(5.0)
        assert self.api.outside.mailbox is not None
        letter = (await self.api.outside.mailbox.letters(account["email"]))[0]
        found = re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b", letter.text)
        assert found is not None
        return found.group()

    async def confirm(self, consent: str, code: str) -> httpx.Response:
        return await self.ask("POST", f"consents/{consent}/confirm", json={"code": code})

    async def consent(self, *scope: str) -> str:
        """A consent that was given."""
        key: str = (await self.request(*scope))["id"]
        given = await self.confirm(key, await self.code())
        assert (given.status_code, given.json()["status"]) == (200, "Verified"), given.text
        return key


async def move_in(api: Api) -> Home:
    member = await let_in(api.platform)
    answer = await api.client.post("/api/v1/profiles", auth=member.shows, json={"name": "Robin"})
    assert answer.status_code == 201, answer.text
    return Home(api, member, answer.json()["id"])


@pytest.fixture
async def home(quick: Api) -> Home:
    return await move_in(quick)


@pytest.mark.parametrize(
    "change",
    [
        {"dateOfBirth": "2019-05-01"},
        {"bio": "I like owls."},
        {"pronouns": "she/her"},
        {"avatarMediaId": "my-photo"},
        {"name": "Robin Hood"},
        {"ageGroup": "19-150"},
    ],
)
async def test_a_childs_details_wait_for_a_parent(home: Home, change: Body) -> None:
    """Refused without consent, taken with it, refused again once it is taken back; nothing is asked for what
    is taken away.
    """
    refused = check_problem(await home.change(**change))
    assert (refused["code"], refused["status"], refused["path"]) == (
        "consent_needed",
        403,
        next(iter(change)),
    )
    key = await home.consent()
    taken = await home.change(**change)
    assert taken.status_code == 200, taken.text
    revoked = await home.ask("POST", f"consents/{key}/revoke")
    assert revoked.json()["status"] == "Revoked"
    if "ageGroup" not in change:
        other = {"name": "Robin Wood", "dateOfBirth": "2018-05-01"}
        again = {name: other.get(name, f"{value}!") for name, value in change.items()}
        if "avatarMediaId" in change:
            again = {"avatarMediaId": "another-photo"}
        assert check_problem(await home.change(**again))["code"] == "consent_needed"
        gone = {name: "Robin" if name == "name" else None for name in change}
        assert (await home.change(**gone)).status_code == 200


async def test_a_child_begins_with_a_first_name(home: Home) -> None:
    """What else it says waits until there is a profile for which a parent can be asked; adults say what they
    like, and a child cannot pass for one by its group where its date of birth says otherwise.
    """
    for more, code in (
        ({"name": "Robin", "bio": "Owls"}, 403),
        ({"name": "Robin Hood"}, 403),
        ({"name": "Robin", "preferredThemes": ["forest"], "selectedAvatarMediaId": "fox"}, 201),
        ({"name": "Ada Lovelace", "bio": "Owls", "ageGroup": "19-150"}, 201),
        ({"name": "Ada", "bio": "Owls", "ageGroup": "19-150", "dateOfBirth": "2020-01-01"}, 403),
    ):
        answer = await home.ask("POST", "profiles", json=more)
        assert answer.status_code == code, answer.text


async def test_a_consent_is_to_what_it_says(home: Home) -> None:
    """Who allowed details has not allowed purchases."""
    await home.consent("details")
    assert (await home.change(bio="I like owls.")).status_code == 200
    assert check_problem(await home.change(name="Robin Hood"))["code"] == "consent_needed"
    asked = {"bundleId": "any", "currency": "EUR", "profileId": home.profile}
    assert check_problem(await home.ask("POST", "purchases", json=asked))["code"] == "consent_needed"
    await home.consent("purchases")
    assert check_problem(await home.ask("POST", "purchases", json=asked))["path"] == "bundleId"


async def test_a_code_is_for_one_consent_and_few_attempts(home: Home) -> None:
    """A wrong one counts, a used one is void, and another family's opens nothing here."""
    first = (await home.request("details"))["id"]
    code = await home.code()
    second = (await home.request("details"))["id"]
    assert check_problem(await home.confirm(second, code))["code"] == "wrong_code"
    assert (await home.confirm(first, code.lower())).json()["status"] == "Verified"
    assert check_problem(await home.confirm(first, code))["code"] == "code_void"
    for _ in range(4):
        assert check_problem(await home.confirm(second, "0000-0000"))["code"] == "wrong_code"
    assert check_problem(await home.confirm(second, await home.code()))["code"] == "code_void"
    other = await move_in(home.api)
    assert check_problem(await other.confirm(first, code))["code"] == "not_found"


async def test_a_code_runs_out_after_a_day(home: Home) -> None:
    """The consent stays as it was asked for, and opens nothing."""
    asked = await home.request()
    consents = home.api.platform.repository(ParentalConsent, PARENTAL_CONSENTS)
    stored = await consents.get(asked["id"])
    assert stored is not None
    assert stored.value.expires_at is not None
    assert stored.value.requested_at is not None
    assert stored.value.expires_at - stored.value.requested_at == dt.timedelta(days=1)
    past = stored.value.requested_at - dt.timedelta(seconds=1)
    await consents.change(stored, msgspec.structs.replace(stored.value, expires_at=past))
    assert check_problem(await home.confirm(asked["id"], await home.code()))["code"] == "code_void"


async def test_the_history_is_kept_and_tells_no_secrets(home: Home) -> None:
    """Every request is listed, newest first, without code or address; both are kept as little as can be."""
    first, second = await home.consent("details"), (await home.request("name"))["id"]
    await home.ask("POST", f"consents/{first}/revoke")
    await home.ask("POST", f"consents/{first}/revoke")
    listed = (await home.ask("GET", f"profiles/{home.profile}/consents")).json()["items"]
    assert [(each["id"], each["status"]) for each in listed] == [(second, "Requested"), (first, "Revoked")]
    assert listed[1]["verifiedAt"] < listed[1]["revokedAt"]
    assert "parentEmail" not in listed[0]
    assert "codeHash" not in listed[0]
    stored = await home.api.platform.repository(ParentalConsent, PARENTAL_CONSENTS).get(first)
    assert stored is not None
    assert (stored.value.status, stored.value.code_hash) == (ConsentStatus.REVOKED, None)


async def test_letters_go_to_the_account_and_name_no_child(home: Home) -> None:
    """Nobody chooses where a code goes, and not too many do."""
    await home.request()
    await home.api.outside.outgoing.close(5.0)
    account = (await home.ask("GET", f"accounts/{home.member.account_id}")).json()
    assert home.api.outside.mailbox is not None
    (letter,) = await home.api.outside.mailbox.letters(account["email"])
    assert "Robin" not in letter.text + letter.subject + letter.html
    answers = [await home.ask("POST", f"profiles/{home.profile}/consents") for _ in range(6)]
    assert check_problem(answers[-1])["code"] == "too_often"
    chosen = await home.ask("POST", f"profiles/{home.profile}/consents", json={"parentEmail": "a@b.org"})
    assert check_problem(chosen)["code"] == "unknown_field"


async def test_nobody_consents_for_who_is_of_age(home: Home) -> None:
    """There is nothing to allow."""
    made = await home.ask("POST", "profiles", json={"name": "Ada", "ageGroup": "13-18"})
    answer = await home.ask("POST", f"profiles/{made.json()['id']}/consents")
    assert check_problem(answer)["code"] == "invalid_value"


@pytest.mark.parametrize("is_allowed", [False, True])
async def test_a_childs_choices_are_counted_only_if_allowed(quick: Api, is_allowed: bool) -> None:
    """It plays all the same; of what it chose nothing is kept for analytics."""
    family = await sit_down(quick)
    member = await let_in(quick.platform, account_id=family.account)
    if is_allowed:
        await Home(quick, member, family.profile).consent("analytics")
    key = await family.at_the_stones()
    await family.post(f"{key}/choices", {"sceneId": "stones", "branch": 0})
    record = await quick.platform.play.sessions.get(key)
    assert record is not None
    await follow_session(quick.platform.play, record.record)
    trackings = quick.platform.repository(CompassTracking, COMPASS_TRACKINGS)
    kept = [each.value.profile_id for each in (await trackings.find(Specification(limit=10))).items]
    assert kept == ([family.profile] if is_allowed else [])
    assert len(await family.scores()) == 1


async def test_a_request_to_be_forgotten_has_a_day_by_which_it_is_due(home: Home) -> None:
    """Its status can be read; asked for again with the same key, it is the same."""
    headers = {"Idempotency-Key": "forget"}
    path = f"profiles/{home.profile}/deletion-requests"
    made = [await home.ask("POST", path, json={"reason": "We moved."}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 201]
    first = made[0].json()
    assert made[1].json() == first
    due = dt.datetime.fromisoformat(first["dueAt"]) - dt.datetime.fromisoformat(first["requestedAt"])
    assert (first["status"], due) == ("Requested", dt.timedelta(days=30))
    assert (await home.ask("GET", f"deletion-requests/{first['id']}")).json() == first
    assert (await home.ask("GET", path)).json()["items"] == [first]


async def test_both_stores_keep_consents(api: Api, moved_api: Api) -> None:
    """In documents and in PostgreSQL: asked, given, taken back."""
    for each in (api, moved_api):
        home = await move_in(each)
        key = await home.consent("details")
        assert (await home.change(bio="Owls")).status_code == 200
        assert (await home.ask("POST", f"consents/{key}/revoke")).json()["status"] == "Revoked"
        assert check_problem(await home.change(bio="Foxes"))["code"] == "consent_needed"
        asked = await home.ask("POST", f"profiles/{home.profile}/deletion-requests")
        assert asked.status_code == 201, asked.text
