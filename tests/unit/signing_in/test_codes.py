"""Codes: what they look like, how they are read, and what is kept of them."""

import random
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mystira.domain.errors import InvalidValueError
from mystira.domain.signing_in.codes import (
    ALPHABET,
    LENGTH,
    hash_code,
    is_code,
    keyed_hash,
    make_code,
    read_code,
    spell_code,
)

codes = st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH)


def test_a_code_has_forty_bits() -> None:
    """Eight letters, each one of thirty-two, and every one of them comes up."""
    assert len(set(ALPHABET)) == 32
    made = [make_code(secrets.SystemRandom()) for _ in range(2000)]
    assert {len(code) for code in made} == {8}
    assert len(set(made)) == len(made)
    for place in range(LENGTH):
        assert {code[place] for code in made} == set(ALPHABET)


def test_no_two_letters_look_alike() -> None:
    """Of O and 0, of I, L and 1, only one each is used, and no U."""
    assert set("OILU") & set(ALPHABET) == set()


@given(codes, st.randoms(use_true_random=False))
def test_a_code_is_read_however_it_is_typed(code: str, randomness: random.Random) -> None:
    """Small letters, look-alikes, hyphens and spaces make no difference."""
    alike = {"0": "0Oo", "1": "1IiLl"}
    typed = "".join(randomness.choice(alike.get(letter, letter + letter.lower())) for letter in code)
    assert read_code(typed) == code
    assert read_code(spell_code(code)) == code
    assert read_code(" -".join(typed)) == code


@pytest.mark.parametrize(
    "typed", ["", "1234567", "123456789", "ABCDEFGU", "ABCD-EFG", "ABCDEFG€", "--------"]
)
def test_what_can_be_no_code_is_told_so(typed: str) -> None:
    """Too short, too long, or with a letter that no code has; nothing is counted for it."""
    with pytest.raises(InvalidValueError) as refused:
        read_code(typed)
    assert refused.value.field == "code"
    assert not typed or typed not in str(refused.value)


@given(codes, codes)
def test_a_hash_is_of_one_code_one_request_and_one_key(code: str, other: str) -> None:
    """Another of the three is another hash; nothing of the code can be seen in it."""
    kept = hash_code("key", request_id="one", code=code)
    assert is_code("key", kept, request_id="one", code=code)
    assert is_code("key", kept, request_id="one", code=other) is (code == other)
    assert not is_code("key", kept, request_id="two", code=code)
    assert not is_code("yek", kept, request_id="one", code=code)
    assert code not in kept


def test_without_a_hash_no_code_is_right() -> None:
    """A record of the former system, which kept none, opens nothing."""
    assert not is_code("key", None, request_id="one", code="00000000")
    assert not is_code("key", "", request_id="one", code="00000000")


def test_parts_of_a_hash_do_not_run_together() -> None:
    """Nor do purposes: what is counted under an address is not what is kept of a code."""
    assert keyed_hash("key", "p", "ab", "c") != keyed_hash("key", "p", "a", "bc")
    assert keyed_hash("key", "p", "a") != keyed_hash("key", "q", "a")
