"""Who is signed in, for how long, and how it ends."""

import base64
import datetime as dt
import random

import pytest
import pytest_asyncio

from manystore.records import Kind
from manystore.repository import Stored
from manystore.specifications import Specification
from mystira.domain.accounts.model import Account, Role
from mystira.domain.accounts.use_cases import delete_account, set_role
from mystira.domain.signing_in.expiry import KEPT_AFTER_END, remove_expired
from mystira.domain.signing_in.model import SignIn
from mystira.domain.signing_in.sign_ins import Opened, Terms, end_sign_in, end_sign_ins, open_sign_in
from tests.unit.signing_in.doorstep import Doorstep, open_doorstep

DAY = 24 * 3600.0
TERMS = Terms()


@pytest_asyncio.fixture
async def door() -> Doorstep:
    return await open_doorstep()


async def _open(door: Doorstep, account: Stored[Account], seed: int = 1) -> Opened:
    return await open_sign_in(
        door.sign_ins, account.value, clock=door.clock, randomness=random.Random(seed), terms=TERMS
    )


async def _sign_in(door: Doorstep, opened: Opened) -> SignIn:
    stored = await door.sign_ins.get(opened.sign_in.key)
    assert stored is not None
    return stored.value


async def test_a_token_has_256_bits(door: Doorstep) -> None:
    """All of them come from the randomness that was handed in, and none is lost on the way."""
    opened = await _open(door, await door.make_account())
    secret = base64.urlsafe_b64decode(opened.token + "=")
    assert int.from_bytes(secret, "big") == random.Random(1).getrandbits(256)
    assert len(secret) == 32


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "é" * 43])
async def test_a_token_that_is_none_of_ours_is_nobodys(door: Doorstep, token: str) -> None:
    """However long it is, and of whatever letters."""
    await _open(door, await door.make_account())
    assert await door.whose(token) is None


async def test_the_name_under_which_it_is_kept_is_no_token(door: Doorstep) -> None:
    """Who reads the records cannot come in by what stands there."""
    opened = await _open(door, await door.make_account())
    assert await door.whose(opened.sign_in.key) is None


async def test_a_sign_in_that_is_not_used_ends_after_thirty_days(door: Doorstep) -> None:
    """Just before it holds; at the end it does not."""
    account = await door.make_account()
    kept, lost = await _open(door, account, 1), await _open(door, account, 2)
    door.clock.advance(30 * DAY - 1)
    assert await door.whose(kept.token) is not None
    door.clock.advance(1)
    assert await door.whose(lost.token) is None
    assert await door.whose(kept.token) is not None


async def test_a_sign_in_that_is_used_ends_after_ninety_days(door: Doorstep) -> None:
    """Used every day, it slides on until then, and no further."""
    opened = await _open(door, await door.make_account())
    for _ in range(89):
        door.clock.advance(DAY)
        assert await door.whose(opened.token) is not None
    door.clock.advance(DAY - 1)
    assert await door.whose(opened.token) is not None
    door.clock.advance(1)
    assert await door.whose(opened.token) is None


async def test_use_is_noted_once_an_hour(door: Doorstep) -> None:
    """Requests in between write nothing."""
    opened = await _open(door, await door.make_account())
    versions = []
    for _ in range(7):
        door.clock.advance(1200.0)
        await door.whose(opened.token)
        stored = await door.sign_ins.get(opened.sign_in.key)
        assert stored is not None
        versions.append(stored.version)
    assert versions == [1, 1, 2, 2, 2, 3, 3]
    assert (await _sign_in(door, opened)).last_seen_at == door.clock.now() - dt.timedelta(seconds=1200)


async def test_one_sign_in_is_revoked_at_once(door: Doorstep) -> None:
    """It opens nothing from then on; the others of the account do. Once more changes nothing."""
    account = await door.make_account()
    one, other = await _open(door, account, 1), await _open(door, account, 2)
    await end_sign_in(door.sign_ins, one.sign_in.key)
    await end_sign_in(door.sign_ins, one.sign_in.key)
    assert await door.whose(one.token) is None
    assert await door.whose(other.token) is not None


async def test_all_sign_ins_of_an_account_are_revoked_at_once(door: Doorstep) -> None:
    """However many there are, and none of anybody else."""
    ada, robin = await door.make_account(), await door.make_account("robin@example.org")
    theirs = [await _open(door, ada, seed) for seed in range(120)]
    others = await _open(door, robin, 999)
    assert await end_sign_ins(door.sign_ins, ada.key) == 120
    assert [await door.whose(each.token) for each in theirs] == [None] * 120
    assert await door.whose(others.token) is not None


async def test_noting_a_use_does_not_bring_a_revoked_sign_in_back(door: Doorstep) -> None:
    """Revoked between reading it and writing down that it was used, it stays revoked."""
    opened = await _open(door, await door.make_account())
    door.clock.advance(7200.0)

    async def revoke(_: Kind) -> None:
        await end_sign_in(door.sign_ins, opened.sign_in.key)

    door.tables.interruptions = [revoke]
    assert await door.whose(opened.token) is not None
    assert door.tables.interruptions == []
    assert await door.sign_ins.get(opened.sign_in.key) is None


async def test_the_end_of_an_account_ends_its_sign_ins(door: Doorstep) -> None:
    """At once, also where nobody ended them one by one."""
    account = await door.make_account()
    opened = await _open(door, account)
    await delete_account(door.accounts, account.key)
    assert await door.whose(opened.token) is None


async def test_a_new_role_counts_at_once(door: Doorstep) -> None:
    """Both ways: what somebody may do is what their account says now, not when they signed in."""
    account = await door.make_account(role=Role.USER)
    opened = await _open(door, account)
    for role in (Role.ADMIN, Role.GUEST):
        await set_role(door.accounts, account.key, role, clock=door.clock)
        found = await door.whose(opened.token)
        assert found is not None
        assert found.account.role is role
        assert found.sign_in.role is Role.USER


async def test_what_ran_out_is_removed_a_day_later(door: Doorstep) -> None:
    """Codes and sign-ins, wherever they live; what holds, or ran out only now, stays."""
    account = await door.make_account()
    opened, requested = await _open(door, account), await door.ask()
    door.clock.advance(600 + KEPT_AFTER_END.total_seconds())
    assert await remove_expired(door.pending, door.clock.now()) == 0
    door.clock.advance(1)
    assert await remove_expired(door.pending, door.clock.now()) == 1
    assert await door.pending.get(requested.request.key) is None
    assert await remove_expired(door.sign_ins, door.clock.now()) == 0
    door.clock.advance(30 * DAY)
    assert await remove_expired(door.sign_ins, door.clock.now()) == 1
    assert await door.sign_ins.get(opened.sign_in.key) is None


async def test_many_that_ran_out_are_removed_in_one_go(door: Doorstep) -> None:
    """More than fit in one page; those that hold in between stay."""
    await door.make_account()
    for _ in range(450):
        await door.ask()
    door.clock.advance(600 + KEPT_AFTER_END.total_seconds() + 1)
    fresh = [await door.ask() for _ in range(3)]
    assert await remove_expired(door.pending, door.clock.now()) == 450
    left = (await door.pending.find(Specification(limit=10))).items
    assert {each.key for each in left} == {each.request.key for each in fresh}
