"""What is read from bodies, query strings and headers, beyond what the routes show."""

import datetime as dt
import enum
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta, Struct

from mystira.http.bodies import BodyReader, mistake, read_bytes
from mystira.http.etags import Demand, expected_version, read_demand
from mystira.http.problems import ProblemError
from mystira.http.queries import Nothing, QueryReader


class Shade(enum.StrEnum):
    DARK = "dark"


class Part(Struct, forbid_unknown_fields=True):
    number: int


class Form(Struct, forbid_unknown_fields=True, rename="camel"):
    some_parts: list[Part] = []
    some_map: dict[str, Part] = {}
    when: Annotated[dt.datetime, Meta(tz=True)] | None = None
    day: dt.date | None = None
    shade: Shade | None = None
    ratio: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    short: Annotated[str, Meta(min_length=2, max_length=3)] = "ab"


READER = BodyReader(Form, ("application/json",))

MISTAKES = [
    ('{"someParts": [{"number": 1}, {"number": "x"}]}', "wrong_type", "someParts[1].number"),
    ('{"someParts": [{}]}', "missing_field", "someParts[0].number"),
    ('{"someParts": [{"number": 1, "colour": 2}]}', "unknown_field", "someParts[0].colour"),
    ('{"someMap": {"a.b": {"number": null}}}', "wrong_type", "someMap[...].number"),
    ('{"when": "yesterday"}', "invalid_format", "when"),
    ('{"when": "2026-01-01T00:00:00"}', "invalid_format", "when"),
    ('{"when": 5}', "wrong_type", "when"),
    ('{"day": "2026-02-30"}', "invalid_format", "day"),
    ('{"shade": "pale"}', "invalid_value", "shade"),
    ('{"ratio": 1}', "out_of_range", "ratio"),
    ('{"ratio": 0.0}', "out_of_range", "ratio"),
    ('{"ratio": 1e999}', "out_of_range", "ratio"),
    ('{"short": "a"}', "out_of_range", "short"),
    ('{"short": "abcd"}', "out_of_range", "short"),
]


@pytest.mark.parametrize(("text", "code", "path"), MISTAKES)
def test_a_mistake_has_its_code_and_its_place(text: str, code: str, path: str) -> None:
    """Whatever msgspec complains of becomes a code and a path."""
    with pytest.raises(ProblemError) as refused:
        READER.read(text.encode())
    assert (refused.value.code.code, refused.value.path) == (code, path)


def test_a_long_name_is_cut() -> None:
    """A caller's own words come back to them, but not by the hundred kilobytes."""
    with pytest.raises(ProblemError) as refused:
        READER.read(b'{"' + b"x" * 100_000 + b'": 1}')
    assert len(refused.value.path or "") < 300
    assert len(refused.value.detail) < 300


def test_a_complaint_of_a_new_kind_is_still_a_refusal() -> None:
    """A sentence that nobody foresaw keeps its text and its place, under the most general code."""
    refused = mistake("Something unheard of - at `$.a[0]`")
    assert (refused.code.code, refused.path, refused.detail) == (
        "invalid_value",
        "a[0]",
        "Something unheard of.",
    )


def test_a_pattern_is_not_shown() -> None:
    """People are not served regular expressions."""
    refused = mistake("Expected `str` matching regex '^[a-z]+$' - at `$.a`")
    assert refused.code.code == "invalid_format"
    assert "[a-z]" not in refused.detail


class Search(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    big_number: Annotated[int, Meta(ge=0)] | None = None
    ratio: float | None = None
    is_small: bool | None = None
    word: str | None = None
    shade: Shade | None = None


def test_a_query_is_read_by_type() -> None:
    """Numbers and booleans as JSON spells them; text as it stands, also where it looks like a number."""
    found = QueryReader(Search).read(b"bigNumber=7&ratio=0.5&isSmall=true&word=007&shade=dark")
    assert found == Search(7, 0.5, True, "007", Shade.DARK)
    assert QueryReader(Search).read(b"word=a+b%20c%C3%A9").word == "a b cé"
    assert QueryReader(Search).read(b"word=") == Search(word="")
    assert QueryReader(Search).read(b"") == QueryReader(Search).read(b"&&") == Search()


@pytest.mark.parametrize(
    "query",
    [
        b"bigNumber=07",
        b"bigNumber=-1",
        b"isSmall=1",
        b"isSmall=True",
        b"isSmall=null",
        b"ratio=NaN",
        b"shade=",
    ],
)
def test_a_query_is_not_guessed_at(query: bytes) -> None:
    """What is not spelled as asked is refused, with the parameter's name as it was sent."""
    with pytest.raises(ProblemError) as refused:
        QueryReader(Search).read(query)
    assert refused.value.code.code == "invalid_parameter"
    assert refused.value.path == query.decode().partition("=")[0]


def test_a_parameter_that_must_be_there_is_asked_for() -> None:
    """A missing parameter is named."""

    class Needed(Struct, frozen=True):
        word: str

    with pytest.raises(ProblemError) as refused:
        QueryReader(Needed).read(b"")
    assert (refused.value.code.code, refused.value.path) == ("invalid_parameter", "word")
    with pytest.raises(ProblemError):
        QueryReader(Nothing).read(b"word=x")


def test_a_demand_tells_strong_from_weak() -> None:
    """Weak tags count for reading alone, foreign ones for nothing."""
    demand = read_demand('"3", W/"4" ,"x", "05", "99999999999999999999"', "If-Match")
    assert demand == Demand(any_version=False, strong=frozenset({3}), weak=frozenset({4}))
    assert demand.is_known(4)
    assert not demand.is_known(5)


async def test_a_version_is_chosen_from_several() -> None:
    """The present one, if it is among those named; it is asked for only where there is a choice."""

    class Present(Struct):
        version: int

    async def read() -> Present:
        return Present(4)

    async def never() -> Present:
        raise AssertionError("one version needs no look")

    assert await expected_version(read_demand('"3", "4"', "If-Match"), read) == 4
    assert await expected_version(read_demand('"3"', "If-Match"), never) == 3
    assert await expected_version(read_demand("*", "If-Match"), never) is None
    for none in ('"3", "5"', 'W/"4"', '"x"'):
        with pytest.raises(ProblemError) as refused:
            await expected_version(read_demand(none, "If-Match"), read)
        assert refused.value.code.code == "version_mismatch"


async def test_a_body_that_breaks_off_is_told() -> None:
    """A caller who went away in the middle is no error of ours."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    with pytest.raises(ProblemError) as refused:
        await read_bytes(receive, "10")
    assert refused.value.code.code == "incomplete_body"


def test_msgspec_still_complains_as_it_is_understood() -> None:
    """The sentences that the codes are read from are those of the installed version."""
    with pytest.raises(msgspec.ValidationError, match="Object missing required field `number` - at `"):
        msgspec.json.decode(b'{"someParts": [{}]}', type=Form)
