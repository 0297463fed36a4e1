"""Specifications, asked of all products at once: one meaning, one way of refusing, no way into a statement.

Records are made up once, and are the same in all products; what is asked about them is made up each time. The
products that need a server are in a target of their own.
"""

import asyncio
import functools
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final
from unittest import mock

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.contract.postgres_tables import MAPPINGS, PEOPLE_MAPPING, prepare
from tests.contract.postgres_values import PEOPLE_CONTENTS
from tests.cosmos_server.process import KEY, cosmos_server
from tests.postgres_server import postgres_server
from tests.unit.test_postgres_codec import PEOPLE_CODEC

from manystore.errors import InvalidSpecificationError, NotRepresentableError
from manystore.former import as_declared
from manystore.paging import check, page_of, start_of
from manystore.records import Content, Kind, Record, canonical
from manystore.specifications import Page, Specification
from manystore.stores.cosmos import CosmosStore
from manystore.stores.cosmos import queries as cosmos_queries
from manystore.stores.postgres import PostgresStore, finding
from manystore.stores.postgres.kinds import MappedKind
from manystore.stores.sqlite import SqliteStore
from manystore.stores.sqlite import queries as sqlite_queries
from manystore.stores.store import Applied, Store
from manystore.testing.contract.finding import population
from manystore.testing.samples import MEMBERS, PEOPLE, former, key_of
from proofs.fuzzing.predicates import MARK, Question, senseless_questions, sound_questions
from proofs.fuzzing.targets import Check, Target

_DRAWN: Final = 40
"""Records that are made up besides the population of the contract suite."""
_PAGES: Final = 2
_MOST_ARGUMENTS: Final = 32_767
"""What PostgreSQL's protocol and SQLite take."""
_TABLES: Final = MappedKind(PEOPLE_MAPPING, "postgres")


@functools.cache
def _drawn() -> tuple[Content, ...]:
    """Made-up people, always the same, that every product can hold."""
    contents = list[Content]()

    @seed(20)
    @settings(
        max_examples=3 * _DRAWN,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(PEOPLE_CONTENTS)
    def draw(content: Content) -> None:
        whole = content | {"id": key_of(1_000 + len(contents))}
        try:
            PEOPLE_CODEC.encode(whole["id"], whole)
        except NotRepresentableError:
            return
        contents.append(whole)

    draw()
    return tuple(contents[-_DRAWN:])


def _people() -> list[Record]:
    return population(has_other_types=False) + [Record(each["id"], 1, each) for each in _drawn()]


def _members() -> list[Record]:
    """People as a former system left them; some were written through the engine since."""
    people = [record for record in _people() if record.content is not None]
    return [
        Record(record.key, 1, record.content)
        if number % 5 == 0
        else Record(record.key, 0, former(record.content or {}))
        for number, record in enumerate(people)
    ]


# -- asking --------------------------------------------------------------------------------------------

_Opening = Callable[[], Awaitable[Sequence[Store]]]


class _Panel:
    """Products with the same records, opened and filled at the first question, in whichever process it is."""

    def __init__(self, kind: Kind, records: Sequence[Record], opening: _Opening) -> None:
        self._kind, self._records, self._opening = kind, records, opening
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stores: Sequence[Store] = ()
        self._held = [
            structs.replace(each, content=each.content and as_declared(kind, each.version, each.content))
            for each in records
        ]

    def __call__(self, question: Question) -> None:
        if self._loop is None:
            loop = asyncio.new_event_loop()
            loop.run_until_complete(self._open())
            self._loop = loop
        self._loop.run_until_complete(self._ask(question.specification))

    def close(self) -> None:
        """Let go of what this process opened."""
        if self._loop is not None:
            for store in self._stores:
                self._loop.run_until_complete(store.close())
            self._loop.close()

    async def _open(self) -> None:
        self._stores = await self._opening()
        for store in self._stores:
            await store.open()
            outcomes = await store.apply(self._kind, self._records)
            assert outcomes == [Applied()] * len(self._records), store.name

    async def _ask(self, specification: Specification) -> None:
        for _ in range(_PAGES):
            expected = self._meaning(specification)
            for store in self._stores:
                found = await _answer(store, self._kind, specification)
                assert found == expected, f"{store.name} answers otherwise than memory"
            if expected is None or expected[1] is None:
                return
            specification = structs.replace(specification, continuation=expected[1])

    def _meaning(self, specification: Specification) -> "_Found | None":
        try:
            page = page_of(self._kind, specification, self._held)
        except InvalidSpecificationError:
            return None
        _stays_inside(self._kind, specification)
        return _found(page)


_Found = tuple[list[tuple[str, int, bytes]], str | None]
"""What a page says, so that no two numbers are taken for the same that are not."""


def _found(page: Page) -> _Found:
    records = [(record.key, record.version, canonical(record.content)) for record in page.records]
    return records, page.continuation


async def _answer(store: Store, kind: Kind, specification: Specification) -> _Found | None:
    try:
        return _found(await store.find(kind, specification))
    except InvalidSpecificationError:
        return None


def _stays_inside(kind: Kind, specification: Specification) -> None:
    """No compilation puts a value that was asked for into its text; none has more arguments than fit."""
    check(kind, specification)
    on_file = sqlite_queries.compile_specification(kind, specification)
    in_cloud = cosmos_queries.candidates_query(kind, specification, start_of(kind, specification))
    told = [(on_file.text, len(on_file.parameters)), (in_cloud.text, len(in_cloud.parameters))]
    if kind is PEOPLE:
        statement, arguments = finding.compile_specification(_TABLES, specification)
        told.append((statement, len(arguments)))
    for text, count in told:
        assert MARK not in text, f"a value is part of the statement: {text}"
        assert count <= _MOST_ARGUMENTS, f"{count} arguments"


# -- products ------------------------------------------------------------------------------------------


@contextmanager
def _on_files(kind: Kind, records: Callable[[], list[Record]]) -> Iterator[Check]:
    """Products that need no server."""
    with tempfile.TemporaryDirectory() as folder:

        async def opening() -> Sequence[Store]:
            return [SqliteStore(Path(folder) / "documents.db")]

        panel = _Panel(kind, records(), opening)
        yield panel
        panel.close()


@contextmanager
def _everywhere() -> Iterator[Check]:
    """All products, with servers of their own."""
    with tempfile.TemporaryDirectory() as folder, postgres_server() as url, cosmos_server() as cosmos:
        asyncio.run(prepare(url))

        async def opening() -> Sequence[Store]:
            return [
                SqliteStore(Path(folder) / "documents.db", name="SQLite"),
                PostgresStore(url, MAPPINGS),
                CosmosStore(cosmos.url, KEY, "fuzzed", name="Cosmos"),
            ]

        panel = _Panel(PEOPLE, _people(), opening)
        yield panel
        panel.close()


@contextmanager
def _of_documents() -> Iterator[Check]:
    """The products of documents, with what a former system left in them."""
    with tempfile.TemporaryDirectory() as folder, cosmos_server() as cosmos:

        async def opening() -> Sequence[Store]:
            return [
                SqliteStore(Path(folder) / "documents.db", name="SQLite"),
                CosmosStore(cosmos.url, KEY, "fuzzed", name="Cosmos"),
            ]

        panel = _Panel(MEMBERS, _members(), opening)
        yield panel
        panel.close()


def _sound() -> st.SearchStrategy[Question]:
    return sound_questions(_people())


def _naive(self: Any, value: Any, *_: Any) -> str:
    """A compiler that writes values into the statement."""
    return f"'{value}'" if isinstance(value, str) else str(value)


def _too_narrow(self: Any, predicate: Any) -> str:
    """A compiler to whom the opposite of what is wider is wider."""
    return cosmos_queries._not(self.wider(predicate))


def _milliseconds(text: str) -> int | None:
    micros = _instant(text)
    return None if micros is None else micros // 1_000 * 1_000


_instant: Final = sqlite_queries._instant


def _patched(where: Any, name: str, worse: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: mock.patch.object(where, name, worse)


QUESTIONS: Final = Target(
    name="specifications",
    claim="SQLite finds what memory finds, and no value ever is part of a statement, of any product.",
    values=_sound,
    weight=10,
    opened=lambda: _on_files(PEOPLE, _people),
    faults={
        "SQLite: values are written into the statement": _patched(sqlite_queries._Compiler, "bind", _naive),
        "PostgreSQL: values are written into the statement": _patched(finding._Compiler, "bind", _naive),
        "Cosmos DB: values are written into the query": _patched(
            cosmos_queries._Compiler, "parameter", _naive
        ),
        "SQLite: instants are compared by the millisecond": _patched(
            sqlite_queries, "_instant", _milliseconds
        ),
    },
)

SENSELESS: Final = Target(
    name="senseless specifications",
    claim="What has no meaning, is too deep or too long is refused as such, before any product is asked.",
    values=senseless_questions,
    weight=5,
    opened=lambda: _on_files(PEOPLE, _people),
    faults={
        "limits are not looked at": _patched(sqlite_queries, "check", lambda kind, specification: None),
    },
)

PRODUCTS: Final = Target(
    name="specifications everywhere",
    claim="SQLite, PostgreSQL, Cosmos DB and memory find the same, on the same pages, or refuse alike.",
    values=lambda: _sound() | _sound() | _sound() | senseless_questions(),
    weight=20,
    opened=_everywhere,
    faults={
        "PostgreSQL: masks are forgotten": _patched(finding._Compiler, "_touch", lambda self, path: None),
        "Cosmos DB: what does not hold is asked for too narrowly": _patched(
            cosmos_queries._Compiler, "_wider_not", _too_narrow
        ),
    },
)

FORMER_QUESTIONS: Final = Target(
    name="former records",
    claim="What a former system left is found by what it is read as, in SQLite and Cosmos DB.",
    values=_sound,
    weight=20,
    opened=_of_documents,
    faults={
        "Cosmos DB: other names are not asked for": _patched(
            cosmos_queries, "spellings", lambda kind, path: [tuple(path.split("."))]
        ),
    },
)

ASKED: Final = (QUESTIONS, SENSELESS, PRODUCTS, FORMER_QUESTIONS)
