"""What the App API does, on PostgreSQL, documents in a file, and Redis, over HTTP."""

import asyncio
import uuid

from tests.serving import Api

NOBODY = "00000000-0000-7000-8000-000000000000"


async def test_an_account_is_created_with_its_address_and_its_version(api: Api) -> None:
    """201 names where the account is from now on, and the ETag by which to change it."""
    answer = await api.client.post(
        "/api/v1/accounts",
        json={
            "email": f"Ada.{uuid.uuid4().hex}@Example.org",
            "displayName": "Ada Ω",
            "settings": {"theme": "dark"},
        },
    )
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/accounts/{body['id']}"
    assert answer.headers["etag"] == body["etag"] == '"1"'
    assert body["displayName"] == "Ada Ω"
    assert body["role"] == "Guest"
    assert body["settings"] == {
        "cacheCredentials": True,
        "requireAuthOnStartup": False,
        "preferredLanguage": "en",
        "notificationsEnabled": True,
        "theme": "dark",
    }
    assert (body["subscription"]["type"], body["completedScenarioIds"]) == ("Free", [])
    read = await api.client.get(answer.headers["location"])
    assert (read.status_code, read.json(), read.headers["etag"]) == (200, body, '"1"')


async def test_a_reader_who_has_the_version_is_sent_nothing(api: Api) -> None:
    """304 while If-None-Match names the present version, in any of the standard's spellings."""
    account = await api.sign_up()
    path = f"/api/v1/accounts/{account['id']}"
    for known in ('"1"', 'W/"1"', '"7", "1"', "*"):
        answer = await api.client.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"1"'), known
    for other in ('"2"', '"x"', 'W/"0"'):
        answer = await api.client.get(path, headers={"If-None-Match": other})
        assert answer.status_code == 200, other


async def test_a_change_keeps_what_it_does_not_name(api: Api) -> None:
    """A merge patch changes what it names, one level down as well, and raises the version."""
    account = await api.sign_up(displayName="Ada", settings={"theme": "dark"})
    path = f"/api/v1/accounts/{account['id']}"
    answer = await api.client.patch(
        path, json={"settings": {"preferredLanguage": "de"}}, headers={"If-Match": account["etag"]}
    )
    body = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert (body["displayName"], body["settings"]["theme"], body["settings"]["preferredLanguage"]) == (
        "Ada",
        "dark",
        "de",
    )
    assert (await api.client.get(path)).json() == body


async def test_a_merge_patch_may_say_that_it_is_one(api: Api) -> None:
    """Both application/merge-patch+json and application/json are taken, with a charset as well."""
    account = await api.sign_up()
    for number, media_type in enumerate(
        ("application/merge-patch+json", "application/json; charset=UTF-8", "Application/JSON"), 2
    ):
        answer = await api.client.patch(
            f"/api/v1/accounts/{account['id']}",
            content=f'{{"displayName": "name {number}"}}',
            headers={"If-Match": "*", "Content-Type": media_type},
        )
        assert (answer.status_code, answer.headers["etag"]) == (200, f'"{number}"')


async def test_a_change_to_an_old_version_is_refused(api: Api) -> None:
    """Of two who read the same version, the second to write is told so, and nothing is overwritten."""
    account = await api.sign_up(displayName="before")
    path, seen = f"/api/v1/accounts/{account['id']}", {"If-Match": account["etag"]}
    first = await api.client.patch(path, json={"displayName": "first"}, headers=seen)
    second = await api.client.patch(path, json={"displayName": "second"}, headers=seen)
    gone = await api.client.delete(path, headers=seen)
    assert (first.status_code, second.status_code, gone.status_code) == (200, 412, 412)
    assert second.json()["code"] == gone.json()["code"] == "version_mismatch"
    assert (await api.client.get(path)).json()["displayName"] == "first"


async def test_of_many_changes_to_one_version_one_is_made(api: Api) -> None:
    """Twenty at the same moment: one 200, nineteen 412, one version more."""
    account = await api.sign_up()
    path, seen = f"/api/v1/accounts/{account['id']}", {"If-Match": account["etag"]}
    answers = await asyncio.gather(
        *(api.client.patch(path, json={"displayName": f"n{n}"}, headers=seen) for n in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 19
    assert (await api.client.get(path)).headers["etag"] == '"2"'


async def test_several_versions_may_be_named_and_any(api: Api) -> None:
    """If-Match takes a list, of which the present version must be one, and `*`."""
    account = await api.sign_up()
    path = f"/api/v1/accounts/{account['id']}"
    for demand, status in (('"4", "1"', 200), ('"1", "9"', 412), ('W/"2"', 412), ('"x"', 412), ("*", 200)):
        answer = await api.client.patch(path, json={"displayName": demand}, headers={"If-Match": demand})
        assert answer.status_code == status, demand


async def test_a_deleted_account_is_gone_and_its_profiles_stay(api: Api) -> None:
    """DELETE lets go of the profiles; the address may be taken anew."""
    account = await api.sign_up()
    profile = await api.make_profile(accountId=account["id"])
    path = f"/api/v1/accounts/{account['id']}"
    answer = await api.client.delete(path, headers={"If-Match": account["etag"]})
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await api.client.get(path)).status_code == 404
    assert (await api.client.delete(path, headers={"If-Match": "*"})).status_code == 404
    left = (await api.client.get(f"/api/v1/profiles/{profile['id']}")).json()
    assert left["accountId"] is None
    assert (await api.sign_up(email=account["email"]))["id"] != account["id"]


async def test_accounts_are_listed_page_by_page(api: Api) -> None:
    """Every account that satisfies the search comes once, in order, over pages of any size."""
    mark = uuid.uuid4().hex
    made = [await api.sign_up(email=f"{mark}-{n}@example.org") for n in range(7)]
    since = made[0]["createdAt"]
    found, continuation, pages = [], None, 0
    while True:
        query = {"createdSince": since, "order": "-email", "limit": "3"}
        query |= {"continuation": continuation} if continuation else {}
        body = (await api.client.get("/api/v1/accounts", params=query)).json()
        found += [each for each in body["items"] if mark in each["email"]]
        pages, continuation = pages + 1, body["continuation"]
        if continuation is None:
            break
    assert found == made[::-1]
    assert pages >= 3


async def test_an_account_is_found_by_its_address_in_any_case(api: Api) -> None:
    """The search for an e-mail address does not mind capitals."""
    account = await api.sign_up()
    answer = await api.client.get("/api/v1/accounts", params={"email": account["email"].upper()})
    assert answer.json() == {"items": [account], "continuation": None}


async def test_a_scenario_is_completed_once(api: Api) -> None:
    """Said twice, it stands once, and the version stays."""
    account = await api.sign_up()
    path = f"/api/v1/accounts/{account['id']}/completed-scenarios"
    first = await api.client.post(path, json={"scenarioId": "the-lost-lantern"})
    again = await api.client.post(path, json={"scenarioId": "the-lost-lantern"})
    assert first.json()["completedScenarioIds"] == ["the-lost-lantern"]
    assert (first.status_code, first.headers["etag"]) == (200, '"2"')
    assert (again.status_code, again.headers["etag"], again.json()) == (200, '"2"', first.json())


async def test_a_subscription_changes_by_itself(api: Api) -> None:
    """Null takes a value away, an offset becomes UTC, and the account has a new version."""
    account = await api.sign_up()
    path = f"/api/v1/accounts/{account['id']}/subscription"
    change = {
        "type": "Monthly",
        "tier": "Family",
        "validUntil": "2027-01-31T01:30:00+01:30",
        "startDate": None,
    }
    answer = await api.client.patch(path, json=change, headers={"If-Match": account["etag"]})
    subscription = answer.json()["subscription"]
    assert answer.status_code == 200
    assert (subscription["type"], subscription["tier"]) == ("Monthly", "Family")
    assert (subscription["validUntil"], subscription["startDate"]) == ("2027-01-31T00:00:00Z", None)
    assert (await api.client.patch(path, json=change)).json()["code"] == "precondition_required"


async def test_a_profile_lives_like_an_account(api: Api) -> None:
    """Create, read, change with null, list by account, give a badge once, delete."""
    account = await api.sign_up()
    profile = await api.make_profile(accountId=account["id"], pronouns="they", preferredThemes=["forest"])
    path = f"/api/v1/profiles/{profile['id']}"
    changed = await api.client.patch(
        path, json={"pronouns": None, "name": "Ro"}, headers={"If-Match": profile["etag"]}
    )
    assert (changed.json()["pronouns"], changed.json()["name"]) == (None, "Ro")
    badge = {"badgeConfigurationId": "curious-1", "badgeName": "Curious", "axis": "Curiosity"}
    first = await api.client.post(f"{path}/badges", json=badge)
    again = await api.client.post(f"{path}/badges", json=badge | {"badgeName": "Another"})
    assert [each["badgeName"] for each in again.json()["earnedBadges"]] == ["Curious"]
    assert first.json() == again.json()
    listed = await api.client.get("/api/v1/profiles", params={"accountId": account["id"], "isGuest": "false"})
    assert listed.json()["items"] == [first.json()]
    assert (await api.client.delete(path, headers={"If-Match": first.headers["etag"]})).status_code == 204
    assert (await api.client.get(path)).json()["code"] == "not_found"


async def test_a_profile_needs_the_account_that_it_names(api: Api) -> None:
    """An account that is not there is a fault of what was sent, and named by its field."""
    answer = await api.client.post("/api/v1/profiles", json={"name": "Robin", "accountId": NOBODY})
    body = answer.json()
    assert (answer.status_code, body["code"], body["path"]) == (422, "missing_parent", "accountId")
    listed = await api.client.get("/api/v1/profiles", params={"accountId": NOBODY})
    assert listed.json()["items"] == []


async def test_a_head_is_a_get_without_its_body(api: Api) -> None:
    """What answers GET answers HEAD, with the same headers."""
    account = await api.sign_up()
    answer = await api.client.head(f"/api/v1/accounts/{account['id']}")
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (200, b"", '"1"')


async def test_a_path_tells_what_may_be_asked_of_it(api: Api) -> None:
    """OPTIONS and 405 name the same methods."""
    path = f"/api/v1/accounts/{NOBODY}"
    options, wrong = await api.client.options(path), await api.client.put(path)
    assert (options.status_code, wrong.status_code) == (204, 405)
    assert wrong.json()["code"] == "method_not_allowed"
    assert options.headers["allow"] == wrong.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
