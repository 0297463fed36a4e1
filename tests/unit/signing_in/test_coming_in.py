"""Asking for a code and showing it: what opens, what does not, and what can be told from outside."""

import asyncio
import datetime as dt
import itertools
import re

import msgspec
import pytest
import pytest_asyncio

from manystore.errors import UnavailableError
from manystore.records import Kind
from manystore.specifications import Specification
from mystira.domain.accounts.model import Role
from mystira.domain.accounts.use_cases import delete_account
from mystira.domain.signing_in.codes import make_code
from mystira.domain.signing_in.errors import CodeVoidError, WrongCodeError
from mystira.domain.signing_in.model import Confirmation, PendingSignup
from mystira.domain.signing_in.use_cases import (
    CODE_HOLDS,
    MOST_ATTEMPTS,
    Requested,
    SignedIn,
    confirm_code,
)
from tests.unit.signing_in.doorstep import ADA, Doorstep, code_in, open_doorstep, other_than


@pytest_asyncio.fixture
async def door() -> Doorstep:
    return await open_doorstep()


async def _accounts(door: Doorstep) -> int:
    return len((await door.accounts.find(Specification(limit=100))).items)


async def _sign_ins(door: Doorstep) -> int:
    return len((await door.sign_ins.find(Specification(limit=100))).items)


# -- the way in ----------------------------------------------------------------------------------------


async def test_a_new_family_comes_in(door: Doorstep) -> None:
    """The account is made when the code is shown and not before; its owner is a user, and known from now."""
    requested = await door.sign_up(name="Ada & Co.")
    assert await _accounts(door) == 0
    came = await door.confirm(requested)
    account = came.account.value
    assert (account.email, account.display_name, account.role) == (ADA, "Ada & Co.", Role.USER)
    assert account.last_login_at == door.clock.now()
    found = await door.whose(came.opened.token)
    assert found is not None
    assert found.account == account


async def test_a_family_comes_in_again(door: Doorstep) -> None:
    """To the same account, whatever the case of the address; the visit is noted, the role stays."""
    known = await door.make_account(role=Role.ADMIN)
    door.clock.advance(60.0)
    came = await door.come_in("ADA@Example.org")
    assert came.account.key == known.key
    assert came.account.value.role is Role.ADMIN
    assert came.account.value.last_login_at == door.clock.now()
    assert await _accounts(door) == 1


async def test_who_signs_up_twice_is_let_in_to_what_is_there(door: Doorstep) -> None:
    """The letter says that there is an account; the code opens that one, whose name stays."""
    known = await door.make_account()
    requested = await door.sign_up(name="Somebody else")
    assert requested.letter is not None
    assert "has one already" in requested.letter.text
    assert "Somebody else" not in requested.letter.text
    came = await door.confirm(requested)
    assert (came.account.key, came.account.value.display_name) == (known.key, "Ada")


async def test_a_letter_goes_to_the_address_that_the_account_has(door: Doorstep) -> None:
    """Not as it was typed by whoever asked."""
    await door.make_account("Ada@Example.org")
    requested = await door.ask("ada@example.ORG")
    assert requested.letter is not None
    assert requested.letter.to == "Ada@Example.org"


# -- what can be told ----------------------------------------------------------------------------------


async def test_an_unknown_address_gets_nothing_and_is_told_nothing(door: Doorstep) -> None:
    """No letter; but a request like any other, for which every code is wrong in the same way."""
    await door.make_account()
    for requested in (await door.ask(), await door.ask("nobody@example.org")):
        request = requested.request.value
        assert re.fullmatch("[0-9a-f]{64}", request.code_hash or "")
        assert request.expires_at == door.clock.now() + CODE_HOLDS
        wrong = "0000-0000" if requested.letter is None else other_than(code_in(requested.letter))
        told = []
        for _ in range(MOST_ATTEMPTS + 1):
            with pytest.raises((WrongCodeError, CodeVoidError)) as refused:
                await door.confirm(requested, wrong)
            told.append(str(refused.value))
        assert [re.sub("[0-9]", "", each) for each in told[:-1]] == [told[0].replace("4", "")] * 5
        assert "No code opens anything" in told[-1]
    assert (await door.ask("nobody@example.org")).letter is None


async def test_signing_in_makes_no_account(door: Doorstep) -> None:
    """Not even by a code that was guessed, for an address that has none."""
    requested = await door.ask("nobody@example.org")
    key = requested.request.key
    # The code that nobody was told: the second that the reception made, as its randomness decides.
    doorstep = await open_doorstep()
    code = make_code(doorstep.reception.randomness)
    with pytest.raises(CodeVoidError):
        await confirm_code(door.reception, Confirmation(request_id=key, code=code))
    assert await _accounts(door) == 0
    assert await _sign_ins(door) == 0


async def test_nothing_that_opens_is_kept(door: Doorstep) -> None:
    """Neither code nor token stand in any record."""
    await door.make_account()
    requested = await door.ask()
    came = await door.confirm(requested)
    requests = (await door.pending.find(Specification(limit=10))).items
    sign_ins = (await door.sign_ins.find(Specification(limit=10))).items
    kept = msgspec.json.encode([[each.value for each in requests], [each.value for each in sign_ins]])
    assert kept.count(b"Hash") == len(requests)
    assert code_in(requested.letter).replace("-", "").encode() not in kept
    assert came.opened.token.encode() not in kept


# -- limits of a code ----------------------------------------------------------------------------------


async def test_a_code_holds_for_ten_minutes(door: Doorstep) -> None:
    """At the last moment it opens, at the end of the time it does not."""
    await door.make_account()
    first, second = await door.ask(), await door.ask()
    door.clock.advance(CODE_HOLDS.total_seconds() - 1)
    await door.confirm(first)
    door.clock.advance(1)
    with pytest.raises(CodeVoidError):
        await door.confirm(second)


async def test_a_code_opens_once(door: Doorstep) -> None:
    """Whoever finds the letter later finds nothing that opens."""
    await door.make_account()
    requested = await door.ask()
    await door.confirm(requested)
    with pytest.raises(CodeVoidError):
        await door.confirm(requested)
    assert (await _request(door, requested)).failed_attempts == 0


async def test_a_code_is_void_after_five_attempts(door: Doorstep) -> None:
    """Four wrong ones leave one more; after five not even the right one opens."""
    await door.make_account()
    saved, lost = await door.ask(), await door.ask()
    for requested, attempts in ((saved, 4), (lost, 5)):
        for number in range(attempts):
            with pytest.raises(WrongCodeError) as refused:
                await door.confirm(requested, other_than(code_in(requested.letter)))
            assert refused.value.left == MOST_ATTEMPTS - 1 - number
    await door.confirm(saved)
    with pytest.raises(CodeVoidError):
        await door.confirm(lost)


async def test_a_code_opens_its_own_request_alone(door: Doorstep) -> None:
    """A code that was mailed for another request of the same address does not."""
    await door.make_account()
    first, second = await door.ask(), await door.ask()
    with pytest.raises(WrongCodeError):
        await door.confirm(first, code_in(second.letter))


async def test_a_request_that_never_was_has_no_code(door: Doorstep) -> None:
    """It is refused as one that is over."""
    sent = Confirmation(request_id="00000000-0000-7000-8000-00000000dead", code="0000-0000")
    with pytest.raises(CodeVoidError):
        await confirm_code(door.reception, sent)


async def test_an_account_that_went_meanwhile_is_not_made_anew(door: Doorstep) -> None:
    """A code that was mailed to sign in opens nothing once the account is deleted."""
    account = await door.make_account()
    requested = await door.ask()
    await delete_account(door.accounts, account.key)
    with pytest.raises(CodeVoidError):
        await door.confirm(requested)
    assert await _accounts(door) == 0


async def test_a_failure_on_the_way_does_not_use_the_code_up(door: Doorstep) -> None:
    """Where the account cannot be written just now, the same code opens later; an attempt is counted."""
    await door.make_account()
    requested = await door.ask()

    async def nothing(_: Kind) -> None:
        return

    async def away(_: Kind) -> None:
        raise UnavailableError(subject="documents", reason="a test")

    door.documents.interruptions = [nothing, away]
    with pytest.raises(UnavailableError):
        await door.confirm(requested)
    request = await _request(door, requested)
    assert (request.is_used, request.failed_attempts) == (False, 1)
    await door.confirm(requested)


async def _request(door: Doorstep, requested: Requested) -> PendingSignup:
    stored = await door.pending.get(requested.request.key)
    assert stored is not None
    return stored.value


# -- races ---------------------------------------------------------------------------------------------


def _let_all_run(door: Doorstep, turns: int) -> None:
    """Let others run before each write, so that what is asked for at once really happens at once."""
    counted = itertools.count(turns)

    async def wait(_: Kind) -> None:
        for _turn in range(1 + next(counted) % 3):
            await asyncio.sleep(0)

    door.documents.interruptions = [wait] * 10_000


@pytest.mark.parametrize("turns", range(4))
async def test_of_many_who_show_one_code_one_gets_a_token(door: Doorstep, turns: int) -> None:
    """A hundred at once: one sign-in is opened, and one token told."""
    await door.make_account()
    requested = await door.ask()
    _let_all_run(door, turns)
    ended = await asyncio.gather(*(door.confirm(requested) for _ in range(100)), return_exceptions=True)
    tokens = [each for each in ended if isinstance(each, SignedIn)]
    others = {type(each) for each in ended if not isinstance(each, SignedIn)}
    assert len(tokens) == 1
    assert others == {CodeVoidError}
    assert await _sign_ins(door) == 1


@pytest.mark.parametrize("turns", range(4))
async def test_many_guesses_at_once_are_no_more_than_five(door: Doorstep, turns: int) -> None:
    """Of a hundred wrong codes together five are compared, and the right one after them opens nothing."""
    await door.make_account()
    requested = await door.ask()
    wrong = other_than(code_in(requested.letter))
    _let_all_run(door, turns)
    ended = await asyncio.gather(
        *(door.confirm(requested, wrong) for _ in range(100)), return_exceptions=True
    )
    compared = [each for each in ended if isinstance(each, WrongCodeError)]
    assert sorted(each.left for each in compared) == [0, 1, 2, 3, 4]
    with pytest.raises(CodeVoidError):
        await door.confirm(requested)


async def test_of_two_who_sign_up_with_one_address_both_come_in_to_one_account(door: Doorstep) -> None:
    """Each by a code of their own, at the same moment, and the address in another case."""
    first, second = await door.sign_up(ADA), await door.sign_up("ADA@example.org", "Robin")
    _let_all_run(door, 1)
    one, other = await asyncio.gather(door.confirm(first), door.confirm(second))
    assert one.account.key == other.account.key
    assert await _accounts(door) == 1
    assert one.opened.token != other.opened.token


async def test_times_are_told_in_utc(door: Doorstep) -> None:
    """So that an app elsewhere knows when a code ends."""
    requested = await door.ask()
    assert requested.request.value.expires_at == door.clock.now() + dt.timedelta(minutes=10)
