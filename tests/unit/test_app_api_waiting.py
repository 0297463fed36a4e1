"""What callers are told while a kind moves, a store is away, or asks for patience."""

from typing import Any

import pytest

from manystore.errors import ThrottledError
from manystore.placement import Phase, beating, read_state
from manystore.placement.transitions import announce, step, undo
from manystore.records import Content, Kind, Record
from manystore.stores.memory import MemoryStore
from tests.refusals import check_problem, written
from tests.serving import memory_api
from tests.unit.clocks import ManualClock

ACCOUNTS = "/api/v1/accounts"


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_writes_wait_for_a_cut_over_and_reads_do_not(method: str) -> None:
    """A write that waited in vain hears when to come back, nothing is written, and afterwards all goes on."""
    async with memory_api(clock=ManualClock()) as api:
        account = await api.sign_up()
        path = ACCOUNTS if method == "POST" else f"{ACCOUNTS}/{account['id']}"
        content = {"email": "ada@example.org"} if method != "DELETE" else None
        placement = api.platform.placement("accounts")
        following = await step(placement, await read_state(placement), Phase.DUAL_WRITE_SOURCE_READ)
        assert following is not None
        draining = await announce(placement, following, Phase.DUAL_WRITE_TARGET_READ)
        assert draining is not None
        await api.platform.leases.refresh("accounts")
        before = await written(api)
        clock, lease = api.platform.clock, api.settings.lease_seconds
        async with beating(placement, draining, clock=clock, lease=lease):
            refused = await api.client.request(method, path, json=content, headers={"If-Match": "*"})
        assert check_problem(refused)["code"] == "draining"
        assert (await api.client.get(f"{ACCOUNTS}/{account['id']}")).json() == account
        assert await written(api) == before
        await undo(placement, draining)
        done = await api.client.request(method, path, json=content, headers={"If-Match": "*"})
        assert done.status_code in (200, 201, 204)


async def test_a_store_that_is_away_is_told_as_such() -> None:
    """503 for reading and for writing; the store's address is not the caller's business."""
    documents = MemoryStore("documents")
    async with memory_api(documents) as api:
        account = await api.sign_up()
        await documents.close()
        for answer in (
            await api.client.get(f"{ACCOUNTS}/{account['id']}"),
            await api.client.get(ACCOUNTS),
            await api.client.get("/admin/api/moves"),
        ):
            assert check_problem(answer)["code"] == "unavailable"
        await documents.open()
        assert (await api.client.get(f"{ACCOUNTS}/{account['id']}")).json() == account


class Busy(MemoryStore):
    """Documents that ask to be asked less often, as Cosmos DB does."""

    async def put(self, kind: Kind, key: str, content: Content, **named: Any) -> Record:
        raise ThrottledError(subject=self.name, reason="429", retry_after=1.2)


async def test_a_store_that_asks_for_patience_is_passed_on() -> None:
    """429 with the wait that the store asked for, in whole seconds."""
    async with memory_api(Busy("documents")) as api:
        answer = await api.client.post(ACCOUNTS, json={"email": "ada@example.org"})
        assert check_problem(answer)["code"] == "throttled"
        assert answer.headers["retry-after"] == "2"


async def test_a_record_that_no_release_could_have_written_is_told_as_ours() -> None:
    """Old data that does not fit the model is a 500 with a code of its own, not a fault of the caller."""
    async with memory_api() as api:
        account = await api.sign_up()
        kind = api.platform.accounts.kind
        record = await api.platform.documents.get(kind, account["id"])
        assert record is not None
        broken = Record(record.key, 9, (record.content or {}) | {"role": "Emperor"})
        await api.platform.documents.apply(kind, [broken])
        answer = await api.client.get(f"{ACCOUNTS}/{account['id']}")
        assert check_problem(answer)["code"] == "unreadable_record"
        assert "Emperor" not in answer.text
