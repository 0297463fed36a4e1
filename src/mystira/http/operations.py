"""What a service can be asked, declared once: route, reading, answer and documentation follow from it.

    Operation(
        method="GET", path="/accounts/{accountId}", name="getAccount", summary="Read an account",
        takes=Nothing, handle=accounts.read, answers={200: AccountView}, refuses=("not_found",),
        revalidates=True, allows=SIGNED_IN, owner=OWN_ACCOUNT,
    )

`takes` is what the caller sends beyond the path: for GET and DELETE the query string, for POST and PATCH the
body, which is JSON. An operation that `uploads` takes bytes as its body, and the query string as well. A
handler receives a `Call` in which it has been read and checked, and returns an `Answer`. It is not reached by
anybody whom `allows` and `owner` keep out; those learn nothing, not even whether what they sent was
well-formed.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from litestar.types import Method

from mystira.http.bodies import BodyReader, read_bytes
from mystira.http.callers import (
    NOBODY,
    Access,
    Authenticate,
    Caller,
    Owner,
    require_caller,
    require_owner,
)
from mystira.http.etags import Demand, etag, read_demand, require
from mystira.http.problems import ProblemError
from mystira.http.queries import Nothing, QueryReader
from mystira.http.transfers import Download, Received, Upload, received

S = TypeVar("S", bound=msgspec.Struct)
Answer = ASGIResponse

Verb = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
PRIVATE: Final = "private, no-cache"
"""For records: whoever asked may keep it, and asks each time whether it still holds."""
NOT_KEPT: Final = "no-store"

_ACTOR: Final = re.compile(r"[A-Za-z0-9@._:+-]{1,100}")
_REASON: Final = re.compile(r"[\x21-\x7e][\x20-\x7e]{1,498}[\x21-\x7e]")
_OF_BODIES: Final = ("content-type", "content-encoding", "content-length")
_encode = msgspec.json.Encoder().encode


class Call(Generic[S]):
    """One request: who calls from which network `address`, what was sent, and the headers that matter.

    `body` is what was uploaded, None but for operations that take uploads. `is_head` asks for no bytes.
    """

    __slots__ = ("_headers", "address", "body", "caller", "is_head", "path", "sent")

    def __init__(
        self,
        path: Mapping[str, str],
        sent: S,
        headers: Iterable[tuple[bytes, bytes]] = (),
        *,
        caller: Caller = NOBODY,
        address: str = "",
        body: Received | None = None,
        is_head: bool = False,
    ) -> None:
        self.path, self.sent, self._headers = path, sent, headers
        self.caller, self.address = caller, address
        self.body, self.is_head = body, is_head

    def header(self, name: str) -> str | None:
        """The value of a header, given in lower case; several of that name count as one list."""
        return header_of(self._headers, name.encode())

    @property
    def demand(self) -> Demand:
        """The versions that If-Match names. Raises ProblemError where it is missing or malformed."""
        return require(self.header("if-match"))

    def knows(self, version: int) -> bool:
        """Whether If-None-Match names the version. Raises ProblemError where it is malformed."""
        value = self.header("if-none-match")
        return value is not None and read_demand(value, "If-None-Match").is_known(version)


def header_of(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The value of a header as ASGI hands it over, or None."""
    found = [value for each, value in headers if each == name]
    return b", ".join(found).decode("latin-1") if found else None


class Operation(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """One thing that a service can be asked.

    `allows` states who may ask, and `owner` whose the record in the path is (see callers.py); both are
    looked at before anything is read. `path` is relative to the service. `answers` maps each status of
    success to the type of its body; `refuses` are the codes that this operation adds to those that follow
    from its form. A record that `revalidates` answers If-None-Match; one that is `guarded` needs If-Match;
    a `keyed` creation takes an Idempotency-Key; what is `versioned` answers with an ETag; what
    `names_actor` takes X-Actor, and what `gives_reason` X-Reason; what was created or
    accepted says where it is, unless it is not to be found anywhere (`locates`). A body that is optional has
    a default in each field. `example` is a body to try.
    """

    method: Verb
    path: str
    name: str
    summary: str
    takes: type[S]
    handle: Callable[[Call[S]], Awaitable[Answer]]
    answers: Mapping[int, Any]
    allows: Access
    owner: Owner | None = None
    tag: str = ""
    description: str = ""
    refuses: tuple[str, ...] = ()
    revalidates: bool = False
    guarded: bool = False
    keyed: bool = False
    versioned: bool = False
    names_actor: bool = False
    gives_reason: bool = False
    locates: bool = True
    has_optional_body: bool = False
    uploads: Upload | None = None
    example: Mapping[str, Any] | None = None

    @property
    def has_body(self) -> bool:
        """Whether what it takes comes in the body rather than in the query string."""
        return self.method in ("POST", "PUT", "PATCH") and self.uploads is None

    @property
    def is_ranged(self) -> bool:
        """Whether it answers with bytes of which some can be asked for."""
        return any(isinstance(form, Download) and form.ranged for form in self.answers.values())

    @property
    def takes_nothing(self) -> bool:
        """Whether the path says all."""
        return self.takes is Nothing

    @property
    def media_types(self) -> tuple[str, ...]:
        """The names under which the body may come."""
        return (MERGE_PATCH, JSON) if self.method == "PATCH" else (JSON,)

    @property
    def path_parameters(self) -> list[str]:
        """The names in braces."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    @property
    def route_path(self) -> str:
        """The path as the framework spells it."""
        return self.path.replace("}", ":str}")

    def route(self, authenticate: Authenticate, *, audience: str) -> HTTPRouteHandler:
        """The operation as the framework knows it. What answers GET answers HEAD too.

        `audience` is the name of the service that it belongs to.
        """
        read, handle, allows = self._reader(), self.handle, self.allows

        async def answer(request: Request[Any, Any, Any]) -> ASGIResponse:
            scope = request.scope
            path, headers = scope["path_params"], scope["headers"]
            shown = header_of(headers, b"authorization")
            caller = await require_caller(allows, authenticate, shown, audience=audience)
            if self.owner is not None:
                await require_owner(self.owner, caller, path)
            if self.names_actor:
                _check_actor(headers)
            if self.gives_reason:
                _check_reason(headers)
            address = (scope.get("client") or ("",))[0]
            sent, is_head = await read(request), scope["method"] == "HEAD"
            if self.uploads is None:
                return await handle(
                    Call(path, sent, headers, caller=caller, address=address, is_head=is_head)
                )
            told = {name: header_of(headers, name.encode()) for name in _OF_BODIES}
            async with received(self.uploads, request.receive, headers=told) as body:
                return await handle(Call(path, sent, headers, caller=caller, address=address, body=body))

        return make_route(self.method, self.route_path, self.name, answer)

    def _reader(self) -> Callable[[Request[Any, Any, Any]], Awaitable[S]]:
        return self._body_reader() if self.has_body else self._query_reader()

    def _query_reader(self) -> Callable[[Request[Any, Any, Any]], Awaitable[S]]:
        query = QueryReader(self.takes)

        async def read(request: Request[Any, Any, Any]) -> S:
            return query.read(request.scope["query_string"])

        return read

    def _body_reader(self) -> Callable[[Request[Any, Any, Any]], Awaitable[S]]:
        bodies, no_query = BodyReader(self.takes, self.media_types), QueryReader(Nothing)
        nothing = self.takes() if self.takes_nothing or self.has_optional_body else None

        async def read(request: Request[Any, Any, Any]) -> S:
            scope = request.scope
            headers = scope["headers"]
            no_query.read(scope["query_string"])
            body = await read_bytes(request.receive, header_of(headers, b"content-length"))
            if not body and nothing is not None:
                return nothing
            if body:
                kind, coding = header_of(headers, b"content-type"), header_of(headers, b"content-encoding")
                bodies.check_headers(kind, coding)
            return bodies.read(body)

        return read


def _check_actor(headers: Iterable[tuple[bytes, bytes]]) -> None:
    # Also where somebody is signed in, whose name is not taken from here: what is told of it holds for all.
    actor = header_of(headers, b"x-actor")
    if actor is not None and not _ACTOR.fullmatch(actor):
        detail = "X-Actor names one person or program: letters, digits and @._:+- alone, at most 100."
        raise ProblemError("invalid_header", detail, path="X-Actor")


def _check_reason(headers: Iterable[tuple[bytes, bytes]]) -> None:
    reason = header_of(headers, b"x-reason")
    if reason is not None and not _REASON.fullmatch(reason):
        detail = "X-Reason says why in 3 to 500 characters of ASCII; others are percent-encoded UTF-8."
        raise ProblemError("invalid_header", detail, path="X-Reason")


def make_route(
    method: Verb,
    path: str,
    name: str,
    answer: Callable[[Request[Any, Any, Any]], Awaitable[ASGIResponse]],
) -> HTTPRouteHandler:
    """A route of the framework whose answer is complete in itself. What answers GET answers HEAD too."""
    methods: list[Method] = ["GET", "HEAD"] if method == "GET" else [method]
    # The status is the answer's own; the framework only has to know that there may be a body.
    return HTTPRouteHandler(path, http_method=methods, name=name, status_code=200)(answer)


def show(body: object, *, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a body; not kept by anybody unless its headers say so."""
    named = {"Cache-Control": NOT_KEPT, **(headers or {})}
    return ASGIResponse(body=_encode(body), status_code=status, media_type=JSON, headers=named)


def show_version(body: object, version: int) -> Answer:
    """An answer that is one record as it stands."""
    return show(body, headers={"Cache-Control": PRIVATE, "ETag": etag(version)})


def show_unchanged(version: int) -> Answer:
    """The answer to a caller who has this version already."""
    headers = {"Cache-Control": PRIVATE, "ETag": etag(version)}
    return ASGIResponse(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)


def show_nothing() -> Answer:
    """The answer where nothing is left to say."""
    return ASGIResponse(status_code=HTTPStatus.NO_CONTENT, headers={"Cache-Control": NOT_KEPT})
