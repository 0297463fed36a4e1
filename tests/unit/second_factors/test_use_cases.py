"""Setting a second factor up, showing it, guessing at it, losing it."""

import asyncio
import random

import msgspec
import pytest

from mystira.domain.errors import TooOftenError
from mystira.domain.second_factors.errors import (
    SecondFactorNotSetError,
    SecondFactorSetError,
    WrongSecondFactorError,
)
from mystira.domain.second_factors.sealing import seal
from mystira.domain.second_factors.use_cases import (
    FREE_ATTEMPTS,
    RECOVERY_CODES,
    forget_second_factor,
    reset_second_factor,
)
from tests.unit.second_factors.strongroom import open_enrolled, open_office
from tests.unit.signing_in.doorstep import ADA, KEY, other_than

HOUR = 3600.0


def _wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


async def test_whoever_sets_one_up_is_staff_from_then_on() -> None:
    """By the sign-in that showed the first code, and by no other; the account's owner is told by mail."""
    office = await open_office()
    mine, other = await office.signs_in(), await office.signs_in()
    await office.begins()
    assert not await office.is_staff(mine)
    enrolled = await office.finishes(mine)
    assert await office.is_staff(mine)
    assert not await office.is_staff(other)
    assert enrolled.letter.to == ADA
    assert len(set(enrolled.recovery_codes)) == RECOVERY_CODES


async def test_a_secret_counts_only_once_its_code_was_shown() -> None:
    """What was begun and not finished opens nothing, and the last secret that was asked for is the one."""
    office = await open_office()
    mine = await office.signs_in()
    with pytest.raises(SecondFactorNotSetError):
        await office.finishes(mine, "123456")
    await office.begins()
    former = office.code()
    with pytest.raises(SecondFactorNotSetError):
        await office.shows(mine, former)
    assert await office.begins() != former
    with pytest.raises(WrongSecondFactorError):
        await office.finishes(mine, former)
    await office.finishes(mine)


async def test_one_that_counts_cannot_be_replaced_by_who_has_the_mail() -> None:
    """Neither begun anew nor finished again: only whoever runs the platform takes it away."""
    office, _ = await open_enrolled()
    thief = await office.signs_in()
    with pytest.raises(SecondFactorSetError):
        await office.begins()
    await office.waits(30)
    with pytest.raises(SecondFactorSetError):
        await office.finishes(thief)
    assert not await office.is_staff(thief)


async def test_nothing_that_is_kept_tells_a_secret() -> None:
    """Neither the secret nor a recovery code stands in the record."""
    office, codes = await open_enrolled()
    text = repr(await office.factors.get(office.account_id))
    assert office.secret not in text
    assert not [code for code in codes if code in text or code.replace("-", "") in text]


async def test_a_code_is_taken_once() -> None:
    """Not again within its half minute, by any sign-in, and of many at once one gets in."""
    office, _ = await open_enrolled()
    await office.waits(60)
    sign_ins = [await office.signs_in() for _ in range(4)]
    code = office.code()
    found = await asyncio.gather(*(office.shows(each, code) for each in sign_ins), return_exceptions=True)
    assert [type(each) for each in found].count(int) == 1
    assert [await office.is_staff(each) for each in sign_ins].count(True) == 1
    with pytest.raises(WrongSecondFactorError):
        await office.shows(sign_ins[0], code)


async def test_an_older_code_than_the_last_is_not_taken() -> None:
    """Though it would still count by the clock: whoever watched it being typed is too late."""
    office, _ = await open_enrolled()
    await office.waits(60)
    mine, older, newer = await office.signs_in(), office.code(), office.code(later=30)
    await office.shows(mine, newer)
    with pytest.raises(WrongSecondFactorError):
        await office.shows(mine, older)


async def test_the_first_code_cannot_be_shown_again() -> None:
    """What set the second factor up is used up by it."""
    office, _ = await open_enrolled()
    with pytest.raises(WrongSecondFactorError):
        await office.shows(await office.signs_in(), office.code())


async def test_a_recovery_code_counts_once_however_it_is_spelled() -> None:
    """In small letters and without its hyphen as well; what is left is told."""
    office, codes = await open_enrolled()
    mine = await office.signs_in()
    assert await office.shows(mine, codes[3].lower()) == RECOVERY_CODES - 1
    assert await office.is_staff(mine)
    with pytest.raises(WrongSecondFactorError):
        await office.shows(await office.signs_in(), codes[3].replace("-", ""))
    assert await office.shows(await office.signs_in(), codes[0].replace("-", "")) == RECOVERY_CODES - 2
    with pytest.raises(WrongSecondFactorError):
        await office.shows(mine, other_than(codes[1]))


async def test_guessing_comes_to_an_end() -> None:
    """Five attempts are free; then one an hour, and until then not even the right code is compared."""
    office, codes = await open_enrolled()
    await office.waits(60)
    mine = await office.signs_in()
    for _ in range(FREE_ATTEMPTS):
        with pytest.raises(WrongSecondFactorError):
            await office.shows(mine, _wrong(office.code()))
    for shown in (office.code(), codes[0]):
        with pytest.raises(TooOftenError) as refused:
            await office.shows(mine, shown)
        assert 0 < refused.value.retry_after <= HOUR
    await office.waits(HOUR)
    with pytest.raises(WrongSecondFactorError):
        await office.shows(mine, _wrong(office.code()))
    with pytest.raises(TooOftenError):
        await office.shows(mine, office.code())
    await office.waits(HOUR)
    mine = await office.signs_in()
    await office.shows(mine, office.code())
    assert await office.is_staff(mine)
    await office.waits(60)
    with pytest.raises(WrongSecondFactorError):
        await office.shows(mine, _wrong(office.code()))


async def test_guesses_at_once_are_counted_before_they_are_compared() -> None:
    """Of fifty no more than the free ones are looked at."""
    office, _ = await open_enrolled()
    await office.waits(60)
    mine, wrong = await office.signs_in(), _wrong(office.code())
    found = await asyncio.gather(*(office.shows(mine, wrong) for _ in range(50)), return_exceptions=True)
    compared = [type(each) for each in found].count(WrongSecondFactorError)
    stored = await office.factors.get(office.account_id)
    assert stored is not None
    assert 0 < compared <= FREE_ATTEMPTS
    assert stored.value.failed_attempts == compared


async def test_a_new_secret_buys_no_new_guesses() -> None:
    """Whoever sets one up and mistypes is counted across the secrets."""
    office = await open_office()
    mine = await office.signs_in()
    for _ in range(FREE_ATTEMPTS):
        await office.begins()
        with pytest.raises(WrongSecondFactorError):
            await office.finishes(mine, _wrong(office.code()))
    await office.begins()
    with pytest.raises(TooOftenError):
        await office.finishes(mine)


async def test_what_was_taken_away_opens_nothing() -> None:
    """Every sign-in ends with it, and the next one sets a new one up."""
    office, codes = await open_enrolled()
    mine = await office.signs_in()
    await reset_second_factor(office.factors, office.door.sign_ins, office.account_id)
    assert await office.door.sign_ins.get(mine) is None
    mine = await office.signs_in()
    with pytest.raises(SecondFactorNotSetError):
        await office.shows(mine, codes[0])
    with pytest.raises(SecondFactorNotSetError):
        await reset_second_factor(office.factors, office.door.sign_ins, office.account_id)
    await office.begins()
    await office.finishes(mine)
    assert await office.is_staff(mine)


async def test_what_was_sealed_by_another_key_counts_for_nothing() -> None:
    """After the platform's key was changed: that is told as what it is, and a reset helps."""
    office, _ = await open_enrolled()
    stored = await office.factors.get(office.account_id)
    assert stored is not None
    sealed = seal(f"another {KEY}", office.secret, owner=office.account_id, randomness=random.Random(1))
    await office.factors.change(stored, msgspec.structs.replace(stored.value, sealed_secret=sealed))
    await office.waits(60)
    with pytest.raises(SecondFactorNotSetError):
        await office.shows(await office.signs_in(), office.code())


async def test_with_an_account_goes_its_second_factor() -> None:
    """Also where there is none."""
    office, _ = await open_enrolled()
    for _ in range(2):
        await forget_second_factor(office.factors, office.account_id)
        assert await office.factors.get(office.account_id) is None
