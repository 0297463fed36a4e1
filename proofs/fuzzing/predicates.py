"""Specifications made up: sound ones about the very values that records have, and ones without any sense."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from hypothesis import strategies as st
from tests.contract.postgres_values import DATES, INSTANTS, JSON, NUMBERS, TEXT, UUIDS

from manystore.records import Content, FieldType, Record
from manystore.specifications import (
    MAX_NESTING,
    MAX_PARTS,
    ORDERED,
    Ascending,
    Both,
    Compare,
    Contains,
    Descending,
    Either,
    IsIn,
    IsMissing,
    Not,
    Predicate,
    Specification,
    comparable,
    field_at,
    value_at,
)
from manystore.testing.contract.finding import predicates as usual_predicates
from manystore.testing.samples import PEOPLE

MARK: Final = "zq9"
"""Stands in every text that tries to break out of a statement, so that it is known where it must not be."""

_PATHS: Final = (
    *("id", "email", "name", "born", "joined", "active", "visits", "weight"),
    *("address.street", "address.city", "address.since"),
)
_WHOLE: Final = ("tags", "nicknames", "extra", "address", "pets")
_OPERATORS: Final = ("==", "!=", "<", "<=", ">", ">=")
_ESCAPES: Final = st.builds(
    lambda before, after: before + MARK + after,
    st.sampled_from(["'", '"', "\\'", "');--", "$$", "\x00'", "%", "]'", '"] OR true--', "@p0", "?1", "}"]),
    st.sampled_from(["", "' or 1=1 --", '" OR true', "; drop table people", "\\", "' union select 1 --"]),
)
_OF_TYPE: Final[dict[FieldType, st.SearchStrategy[Any]]] = {
    FieldType.UUID: UUIDS | _ESCAPES | TEXT,
    FieldType.STRING: _ESCAPES | TEXT,
    FieldType.DATE: DATES | _ESCAPES | TEXT,
    FieldType.TIMESTAMP: INSTANTS,
    FieldType.BOOLEAN: st.booleans(),
    FieldType.INTEGER: st.integers(-(2**70), 2**70) | st.sampled_from([2**53, 2**63, -(2**63) - 1, 10**40]),
    FieldType.NUMBER: NUMBERS,
}


class Question(msgspec.Struct, frozen=True):
    """A specification, told in words that are short however large it is.

    Of `where`, so many lie in one another (`height`) or side by side (`width`), and lists have their values
    so many times (`length`); the order is repeated as well (`turns`).
    """

    where: Any
    order: Any
    limit: Any
    continuation: Any = None
    height: int = 0
    width: int = 1
    length: int = 1
    turns: int = 1

    @property
    def specification(self) -> Specification:
        """The specification itself."""
        where = self.where
        if isinstance(where, IsIn):
            where = IsIn(where.field, where.values * self.length)
        if self.width > 1:
            where = Either((where,) * self.width)
        for level in range(self.height):
            where = Not(where) if level % 3 == 0 else Both((where, IsMissing("email")))
        return Specification(
            where=where, order=self.order * self.turns, limit=self.limit, continuation=self.continuation
        )


def sound_questions(held: Sequence[Record]) -> st.SearchStrategy[Question]:
    """What any store can be asked about these records, with values that they have and values near those."""
    leaf = _leaves([record.content for record in held if record.content is not None])
    where = st.recursive(leaf | leaf | usual_predicates(), _joined, max_leaves=5)
    limits = st.sampled_from([1, 3, 20, 1_000])
    usual = st.builds(Question, where, _orders(), limits, st.none())
    large = st.builds(
        Question,
        leaf,
        _orders(),
        limits,
        st.none(),
        height=st.sampled_from([0, 3, MAX_NESTING - 4]),
        width=st.sampled_from([1, 5, MAX_PARTS // 4]),
        length=st.sampled_from([1, 150, 8]),
    )
    return st.one_of(usual, usual, usual, large)


def _joined(inner: st.SearchStrategy[Predicate]) -> st.SearchStrategy[Predicate]:
    several = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(st.builds(Both, several), st.builds(Either, several), st.builds(Not, inner))


def _leaves(contents: Sequence[Content]) -> st.SearchStrategy[Predicate]:
    valued = [(path, _values_at(path, contents)) for path in _PATHS]
    texts = [pair for pair in valued if field_at(PEOPLE, pair[0]).type is FieldType.STRING]
    listed = (
        st.sampled_from(sorted({text for each in contents for text in _texts_of(each)})) | _ESCAPES | TEXT
    )
    return st.one_of(
        *(st.builds(Compare, st.just(path), st.sampled_from(_OPERATORS), some) for path, some in valued),
        *(
            st.builds(Compare, st.just(path), st.sampled_from(_OPERATORS), some, st.just(True))
            for path, some in texts
        ),
        *(st.builds(IsIn, st.just(path), st.lists(some, max_size=4).map(tuple)) for path, some in valued),
        st.builds(IsMissing, st.sampled_from([*_PATHS, *_WHOLE])),
        st.builds(Contains, st.sampled_from(["tags", "nicknames"]), listed),
    )


def _values_at(path: str, contents: Sequence[Content]) -> st.SearchStrategy[Any]:
    declared = field_at(PEOPLE, path).type
    found = [value_at(content, path) for content in contents]
    there = [value for value in found if comparable(declared, value) is not None]
    return st.one_of(st.sampled_from(there), st.sampled_from(there), _OF_TYPE[declared])


def _texts_of(content: Content) -> list[str]:
    listed = [*(content.get("tags") or []), *(content.get("nicknames") or [])]
    return [each for each in listed if isinstance(each, str)]


def _orders() -> st.SearchStrategy[tuple[Ascending | Descending, ...]]:
    names = st.sampled_from(_PATHS)
    one = st.builds(Ascending, names) | st.builds(Descending, names)
    return st.lists(one, max_size=3, unique_by=lambda order: order.field).map(tuple)


# -- without sense -------------------------------------------------------------------------------------

_NO_PATH: Final = st.sampled_from(
    ["", ".", "id.", ".id", "pets.name", "address.city.x", "a" * 300, "colour", "address", "'", "name\x00"]
)
_NO_VALUE: Final = st.one_of(
    st.sampled_from([None, b"bytes", float("nan"), float("-inf"), ("a",), object, "\ud83d\ude00"]),
    st.just(10**4_200),
    JSON,
)


def senseless_questions() -> st.SearchStrategy[Question]:
    """Nearly sound ones, of which something is of another type, too deep or too much."""
    path = st.sampled_from([*_PATHS, *_WHOLE]) | _NO_PATH | TEXT
    value = st.one_of(*_OF_TYPE.values()) | _NO_VALUE
    operator: st.SearchStrategy[Any] = st.sampled_from([*_OPERATORS, "~", "", "= 1 or 1 =", None, "<>"])
    leaf: st.SearchStrategy[Any] = st.one_of(
        st.builds(Compare, path, operator, value, st.booleans()),
        st.builds(IsIn, path, st.lists(value, max_size=3).map(tuple)),
        st.builds(IsMissing, path),
        st.builds(Contains, path, value),
        st.builds(Compare, st.just("name"), st.sampled_from(_OPERATORS), TEXT),
        st.builds(IsIn, st.sampled_from(["id", "name"]), st.lists(TEXT, max_size=3).map(tuple)),
        st.sampled_from([Predicate(), None, "name = 1"]),
    )
    order = st.builds(Ascending, path) | st.builds(Descending, path)
    return st.builds(
        Question,
        st.recursive(leaf, _joined, max_leaves=4),
        st.lists(order, max_size=2).map(tuple),
        st.sampled_from([1, 20, 1_000, 0, -1, True, 2.0, None, 10**30]),
        st.none() | TEXT | st.sampled_from([7, b"x"]),
        height=st.sampled_from([0, 0, 0, 20, 90, 700, 3_000]),
        width=st.sampled_from([1, 1, 1, 200, 3_000]),
        length=st.sampled_from([1, 1, 1, 700, 15_000]),
        turns=st.sampled_from([1, 1, 1, 8, 300]),
    )


assert all(field_at(PEOPLE, path).type in ORDERED for path in _PATHS)
