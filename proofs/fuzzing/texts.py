"""Text from outside: JSON, instants, continuations. Whatever the bytes, they are read or refused."""

import base64
import datetime as dt
import json
import re
from typing import Any, Final
from unittest import mock

from hypothesis import strategies as st
from tests.contract.postgres_tables import PEOPLE_MAPPING
from tests.contract.postgres_values import INSTANTS, JSON, TEXT

from manystore import instants, paging, records
from manystore.errors import InvalidSpecificationError
from manystore.specifications import Ascending, Descending, Specification
from manystore.stores.postgres import finding
from manystore.stores.postgres.kinds import MappedKind
from manystore.stores.sqlite import queries
from manystore.testing.samples import PEOPLE
from proofs.fuzzing.targets import Target, always

# -- JSON ----------------------------------------------------------------------------------------------


def _is_read_exactly(text: bytes) -> None:
    """What is read is what the standard library reads; what is written is read as the same."""
    try:
        value = records.parse(text)
    except ValueError:
        return
    assert value == json.loads(text, parse_constant=_no_json)
    if records.find_unspeakable(value) is None:
        spelled = records.canonical(value)
        assert records.canonical(records.parse(spelled)) == spelled
        assert records.digest(records.parse(spelled)) == records.digest(value)
        # Numbers keep their type and sign, which no comparison of values would notice.
        assert repr(records.parse(spelled)) == repr(_sorted(value))


def _no_json(name: str) -> float:
    raise AssertionError(f"{name} is no JSON, and was read")


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(inner) for inner in value] if isinstance(value, list) else value


def _mostly_json() -> st.SearchStrategy[bytes]:
    """JSON, JSON with some of its characters replaced, and anything at all."""
    spelled = JSON.map(lambda value: json.dumps(value).encode())
    tokens = st.lists(st.sampled_from(_TOKENS), max_size=12).map(b"".join)
    return st.one_of(spelled, tokens, st.builds(bytes.__add__, tokens, spelled), st.binary(max_size=40))


_TOKENS: Final = tuple(
    b'{ } [ ] , : " \\ \\ud800 \\udc00 \\u0000 NaN Infinity -Infinity -0 -0.0 1e400 1.0 1E5 null true false'
    b' 9007199254740993 18446744073709551616 "" "a" \xc3\xa9 \xed\xa0\x80 \xff'.split(b" ")
)

JSON_TEXT: Final = Target(
    name="JSON text",
    claim="JSON is read as what it says, and its canonical form as the same; all else is refused.",
    values=_mostly_json,
    opened=always(_is_read_exactly),
    read=bytes,
    seeds=(
        b'{"a":[1,1.0,-0.0,"\\ud800",null]}',
        b'["\\ud800",NaN]',
        b"[[[[1e400]]]]",
        b'{"b":1,"a":2,"b":3}',
    ),
    words=_TOKENS,
    faults={
        "NaN is taken for JSON": lambda: mock.patch.object(records, "_refuse_constant", return_value=0.0),
    },
)


# -- instants ------------------------------------------------------------------------------------------

_SHAPE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)


def _meant(text: str) -> dt.datetime | None:
    """The instant by the standard library, which is asked about whole seconds and the offset alone."""
    shaped = _SHAPE.fullmatch(text)
    if shaped is None:
        return None
    date, time, fraction, offset = shaped.groups()
    micros = int((fraction or ".")[1:7].ljust(6, "0"))
    try:
        moment = dt.datetime.strptime(f"{date}T{time}{offset.upper()}", "%Y-%m-%dT%H:%M:%S%z")
        return moment.astimezone(dt.UTC) + dt.timedelta(microseconds=micros)
    except (ValueError, OverflowError):
        return None


def _is_cut(text: str) -> None:
    """An instant is what the text means, cut to the microsecond; cutting the text first changes nothing."""
    # Asked for by name, so that a planted fault is met.
    read = instants.parse_instant(text)
    assert read == _meant(text)
    if read is None:
        return
    assert read.utcoffset() == dt.timedelta()
    assert instants.parse_instant(instants.spell_instant(read)) == read
    assert instants.parse_instant(instants.cut_text(text)) == read
    assert (
        dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=instants.microseconds(read))
        == read
    )


def _mostly_instants() -> st.SearchStrategy[str]:
    pieces = st.text(st.sampled_from("0123456789-+:.TtZz \n\u0662"), max_size=4)
    place = st.integers(0, 40)
    altered = st.builds(lambda text, at, piece: text[:at] + piece + text[at + 1 :], INSTANTS, place, pieces)
    return INSTANTS | altered | altered | TEXT


def _as_text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


_parse_instant: Final = instants.parse_instant


def _round_seventh_digit(text: object) -> dt.datetime | None:
    """A reader that rounds as PostgreSQL does."""
    read = _parse_instant(text)
    seventh = re.search(r"\.\d{6}(\d)", text) if read and isinstance(text, str) else None
    rounds_up = read is not None and seventh is not None and seventh.group(1) >= "5"
    return read + dt.timedelta(microseconds=1) if read is not None and rounds_up else read


INSTANT_TEXT: Final = Target(
    name="instants",
    claim="Text names the instant that it means, cut to the microsecond, or none.",
    values=_mostly_instants,
    opened=always(_is_cut),
    read=_as_text,
    seeds=(
        b"1999-12-31T23:59:59.9999999Z",
        b"2024-02-29t00:00:00.5+05:30",
        b"0001-01-01T00:00:00-14:00",
        b"2016-12-31T23:59:60Z",
    ),
    words=(b"T", b"Z", b"+00:00", b"-14:00", b".9999999", b"24:00", b"-02-30", b"0000", b"9999", b"\xd9\xa2"),
    faults={
        "the seventh digit rounds": lambda: mock.patch.object(
            instants, "parse_instant", _round_seventh_digit
        ),
    },
)


# -- continuations -------------------------------------------------------------------------------------

_ORDERS: Final = (
    (),
    (Ascending("name"), Descending("born")),
    (Descending("visits"), Ascending("weight")),
    (Ascending("active"), Descending("joined"), Ascending("id")),
)
_TABLES: Final = MappedKind(PEOPLE_MAPPING, "postgres")


def _is_believed_or_refused(continuation: object) -> None:
    """A continuation from other hands is refused as such, or each store can go on from it."""
    for order in _ORDERS:
        specification = Specification(order=order, continuation=continuation)  # type: ignore[arg-type]
        try:
            paging.check(PEOPLE, specification)
        except InvalidSpecificationError:
            continue
        queries.compile_specification(PEOPLE, specification)
        finding.compile_specification(_TABLES, specification)
        paging.page_of(PEOPLE, specification, ())


def _spelled(parts: Any) -> str:
    return base64.urlsafe_b64encode(records.canonical(parts)).decode()


def _mostly_continuations() -> st.SearchStrategy[object]:
    """What a page ends with, with values of its order or of no order, and anything at all."""
    value = st.one_of(JSON, st.integers(), st.sampled_from([2**63, -(2**70), 1e300, True, None]))
    ids = st.sampled_from(["00000000-0000-4000-8000-000000000000", "", "x"])
    whole = st.sampled_from(_ORDERS).flatmap(
        lambda order: st.tuples(
            st.just([("-" if isinstance(each, Descending) else "+") + each.field for each in order]),
            st.lists(value, min_size=len(order), max_size=len(order)),
            ids,
        )
    )
    return st.one_of(whole.map(_spelled), JSON.map(_spelled), TEXT, st.none(), st.integers(), st.binary())


def _made_of(raw: bytes) -> str:
    """The bytes as the text within a continuation, so that what is changed is what it says."""
    return base64.urlsafe_b64encode(raw).decode()


CONTINUATIONS: Final = Target(
    name="continuations",
    claim="A continuation that somebody made by hand is refused as such, or means the same everywhere.",
    values=_mostly_continuations,
    opened=always(_is_believed_or_refused),
    read=_made_of,
    seeds=tuple(
        records.canonical(parts)
        for parts in (
            [[], [], "00000000-0000-4000-8000-000000000000"],
            [["+name", "-born"], ["a", 253402300799999999], "00000000-0000-4000-8000-000000000000"],
            [["-visits", "+weight"], [1, 1.5], "00000000-0000-4000-8000-000000000000"],
            [["+active", "-joined", "+id"], [True, "2024", None], "00000000-0000-4000-8000-000000000000"],
        )
    ),
    words=(*_TOKENS, b"+name", b"-born", b"-visits", b"+weight"),
    faults={
        "values of any type are believed": lambda: mock.patch.object(paging, "_fits", return_value=True),
    },
)

TEXTS: Final = (JSON_TEXT, INSTANT_TEXT, CONTINUATIONS)
