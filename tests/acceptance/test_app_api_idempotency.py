"""A creation with an Idempotency-Key is done once, whatever happens in between."""

import asyncio
import uuid
from typing import Any

import pytest
from redis.asyncio import Redis

from manystore.errors import UnavailableError
from manystore.records import Content, Kind, Record
from manystore.stores.memory import MemoryStore
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.gateways.outside import open_outside
from mystira.serve.api import compose
from tests.refusals import check_problem, written
from tests.serving import Api, direct, memory_api

ACCOUNTS, PROFILES = "/api/v1/accounts", "/api/v1/profiles"


def fresh() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


async def test_the_same_key_gives_the_same_answer(api: Api) -> None:
    """Status, ETag, Location and body are those of the first answer, though the record has changed since."""
    content, key = {"email": f"{uuid.uuid4().hex}@example.org"}, fresh()
    first = await api.client.post(ACCOUNTS, json=content, headers=key)
    path = first.headers["location"]
    await api.client.patch(path, json={"displayName": "later"}, headers={"If-Match": "*"})
    again = await api.client.post(
        ACCOUNTS,
        content=b' {"email":"%b"} ' % content["email"].encode(),
        headers={**key, "Content-Type": "application/json"},
    )
    assert (first.status_code, again.status_code) == (201, 201)
    for name in ("etag", "location", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


async def test_a_key_is_one_operations(api: Api) -> None:
    """The same key with another operation is another key."""
    key = fresh()
    account = await api.client.post(ACCOUNTS, json={"email": f"{uuid.uuid4().hex}@example.org"}, headers=key)
    profile = await api.client.post(PROFILES, json={"name": "Robin"}, headers=key)
    assert (account.status_code, profile.status_code) == (201, 201)


async def test_a_key_with_another_body_is_refused(api: Api) -> None:
    """422, and nothing is created."""
    key = fresh()
    await api.client.post(PROFILES, json={"name": "Robin"}, headers=key)
    before = await written(api)
    answer = await api.client.post(PROFILES, json={"name": "Robert"}, headers=key)
    problem = check_problem(answer)
    assert (problem["code"], problem["path"]) == ("idempotency_key_reused", "Idempotency-Key")
    assert await written(api) == before


async def test_a_malformed_body_does_not_use_a_key_up(api: Api) -> None:
    """What could not be read was no request."""
    key = fresh()
    assert (await api.client.post(PROFILES, json={"nam": "Robin"}, headers=key)).status_code == 422
    assert (await api.client.post(PROFILES, json={"name": "Robin"}, headers=key)).status_code == 201


async def test_what_was_refused_may_be_asked_for_again(api: Api) -> None:
    """A refusal is not kept: once its cause has gone, the same key and body succeed."""
    account, key = await api.sign_up(), fresh()
    content = {"email": account["email"]}
    refused = await api.client.post(ACCOUNTS, json=content, headers=key)
    assert check_problem(refused)["code"] == "not_unique"
    await api.client.delete(f"{ACCOUNTS}/{account['id']}", headers={"If-Match": "*"})
    answer = await api.client.post(ACCOUNTS, json=content, headers=key)
    assert answer.status_code == 201
    assert "idempotency-replayed" not in answer.headers


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é".encode(), "a\tb"])
async def test_a_malformed_key_is_refused(api: Api, key: Any) -> None:
    """A key that could not be told from another is no key; nothing is created."""
    before = await written(api)
    answer = await api.client.post(PROFILES, json={"name": "Robin"}, headers={"Idempotency-Key": key})
    problem = check_problem(answer)
    assert (problem["code"], problem["path"]) == ("invalid_header", "Idempotency-Key")
    assert await written(api) == before


async def test_of_many_at_once_one_creates(api: Api) -> None:
    """Thirty at the same moment: one record; each answer is it, or says that it is under way."""
    key, before = fresh(), await api.platform.documents.head(USER_PROFILES)
    answers = await asyncio.gather(
        *(api.client.post(PROFILES, json={"name": "Robin"}, headers=key) for _ in range(30))
    )
    created = {answer.headers["location"] for answer in answers if answer.status_code == 201}
    assert len(created) == 1
    for answer in answers:
        if answer.status_code != 201:
            assert check_problem(answer)["code"] == "request_in_progress"
            assert int(answer.headers["retry-after"]) >= 1
    assert len((await api.platform.documents.changes(USER_PROFILES, before, 10)).changes) == 1


class Unclear(MemoryStore):
    """Documents of which a write can end in an error, before or after its effect."""

    fails: str | None = None

    async def put(self, kind: Kind, key: str, content: Content, **named: Any) -> Record:
        if self.fails != "before":
            record = await super().put(kind, key, content, **named)
        if self.fails:
            raise UnavailableError(subject="documents", reason="the test says so")
        return record


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_unclear_end_is_settled_by_the_next_attempt(when: str) -> None:
    """Whether or not the failed attempt had written, there is one record after the next."""
    documents, key = Unclear("documents"), fresh()
    async with memory_api(documents) as api:
        before = await documents.head(USER_PROFILES)
        documents.fails = when
        failed = await api.client.post(PROFILES, json={"name": "Robin"}, headers=key)
        assert check_problem(failed)["code"] == "unavailable"
        documents.fails = None
        answer = await api.client.post(PROFILES, json={"name": "Robin"}, headers=key)
        again = await api.client.post(PROFILES, json={"name": "Robin"}, headers=key)
        assert (answer.status_code, answer.content) == (201, again.content)
        assert len((await documents.changes(USER_PROFILES, before, 10)).changes) == 1


async def test_a_process_that_died_in_between_leaves_one_record(api: Api, redis: Redis) -> None:
    """It wrote the record and noted nothing; the next attempt finds it by the id that goes with the key."""
    key = uuid.uuid4().hex
    name = f"mystira:idempotency:createProfile:{key}"
    first = await api.client.post(PROFILES, json={"name": "Robin"}, headers={"Idempotency-Key": key})
    # As a SIGKILL after the write would leave it: held by nobody any more, and without an answer.
    await redis.hdel(name, "answer")
    await redis.hset(name, mapping={"holder": "dead", "until": "1"})
    before = await written(api)
    again = await api.client.post(PROFILES, json={"name": "Robin"}, headers={"Idempotency-Key": key})
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert await written(api) == before


async def test_without_redis_a_creation_with_a_key_is_refused(api: Api) -> None:
    """503 with a time to wait: it could have been done before. Without a key it goes on."""
    before = await written(api)
    nowhere = api.settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    async with (
        open_outside(nowhere, api.platform.clock) as outside,
        direct(compose(api.platform, outside, {}), api.settings) as client,
    ):
        refused = await client.post(PROFILES, json={"name": "Robin"}, headers=fresh())
        assert check_problem(refused)["code"] == "unavailable"
        assert await written(api) == before
        assert (await client.post(PROFILES, json={"name": "Robin"})).status_code == 201
