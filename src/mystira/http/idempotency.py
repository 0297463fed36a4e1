"""Carries a creation out once per Idempotency-Key, however often and from wherever it is asked for.

    same key, same request, done              the same answer again, with Idempotency-Replayed: true
    same key, same request, still under way   409 request_in_progress
    same key, another request                 422 idempotency_key_reused

A refusal is not kept: what could not be created may be asked for again under the same key. Where the keys
cannot be read, nothing is created (503): whoever sends a key asks above all that it not be done twice.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar

import msgspec
import structlog
from litestar.response.base import ASGIResponse

from manystore.errors import UnavailableError
from mystira.domain.errors import AlreadyExistsError
from mystira.domain.ids import make_id
from mystira.gateways.idempotency import Answered, Begun, Held, IdempotencyKeys, OtherRequest
from mystira.http.operations import JSON, NOT_KEPT, Answer, Call, show
from mystira.http.problems import ProblemError
from mystira.http.refusals import retry_after

R = TypeVar("R")

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")

log = structlog.get_logger(__name__)


class Given(msgspec.Struct, frozen=True):
    """An answer as it is kept."""

    status: int
    headers: dict[str, str]
    body: bytes


class Creation(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """How one sort of record is created: `make` under the id given (None: any), `read` again, `headers` of
    its answer, and what is shown of it (`view`).

    What has an id of its own, whoever makes it, is told apart from somebody else's by `recognise`: the record
    that stands there where it is what was to be made, else None.
    """

    name: str
    make: Callable[[str | None], Awaitable[R]]
    read: Callable[[str], Awaitable[R]]
    headers: Callable[[R], dict[str, str]]
    view: Callable[[R], object]
    recognise: Callable[[], Awaitable[R | None]] | None = None

    async def again(self, record_id: str) -> R | None:
        """The record that an earlier attempt under the same key has made; None if it was somebody else's."""
        return await self.read(record_id) if self.recognise is None else await self.recognise()

    def show(self, record: R) -> Answer:
        """The answer to a creation."""
        return show(self.view(record), status=HTTPStatus.CREATED, headers=self.headers(record))


async def create_once(keys: IdempotencyKeys, call: Call[Any], creation: Creation[R]) -> Answer:
    """The answer to a creation, done once for its key. Raises ProblemError, UnavailableError."""
    given = call.header("idempotency-key")
    if given is None:
        return creation.show(await creation.make(None))
    if not _KEY.fullmatch(given):
        detail = "An Idempotency-Key has 1 to 255 printable ASCII characters, without spaces."
        raise ProblemError("invalid_header", detail, path="Idempotency-Key")
    # What one caller is answered is none of another's business, whatever key they happen to share.
    whose = call.caller.account_id or call.caller.service or "nobody"
    key, holder = f"{creation.name}:{whose}:{given}", make_id()
    standing = await keys.begin(key, fingerprint=_fingerprint(call), record_id=make_id(), holder=holder)
    match standing:
        case OtherRequest():
            detail = "This Idempotency-Key came with another request before; nothing was done."
            raise ProblemError("idempotency_key_reused", detail, path="Idempotency-Key")
        case Held(seconds):
            detail = f"The first request with this key is under way, for at most {seconds:.0f} s more."
            raise ProblemError("request_in_progress", detail, headers=retry_after(1.0))
        case Answered(answer):
            return _replay(msgspec.json.decode(answer, type=Given))
        case Begun():
            return await _create(keys, key, holder, standing, creation)


async def _create(
    keys: IdempotencyKeys, key: str, holder: str, begun: Begun, creation: Creation[R]
) -> Answer:
    replayed = False
    try:
        try:
            record = await creation.make(begun.record_id)
        except AlreadyExistsError:
            # The id is this key's alone: an earlier attempt wrote the record and died before it could say so.
            found = await creation.again(begun.record_id)
            if found is None:
                raise
            record, replayed = found, True
    except BaseException:
        await _quietly(keys.release(key, holder=holder))
        raise
    answer = creation.show(record)
    given = Given(answer.status_code, creation.headers(record), answer.body)
    # The record is there. An answer that cannot be kept is found again by the record's id.
    await _quietly(keys.finish(key, answer=msgspec.json.encode(given)))
    return _replay(given) if replayed else answer


async def _quietly(noting: Awaitable[None]) -> None:
    try:
        await noting
    except UnavailableError as error:
        log.warning("idempotency.not_noted", reason=error.reason)


def _replay(given: Given) -> Answer:
    headers = {"Cache-Control": NOT_KEPT, **given.headers, "Idempotency-Replayed": "true"}
    return ASGIResponse(body=given.body, status_code=given.status, media_type=JSON, headers=headers)


def _fingerprint(call: Call[Any]) -> str:
    """What a request asks for, whatever the order and spacing in which it was written."""
    sent = msgspec.json.encode(call.sent, order="deterministic")
    uploaded = "" if call.body is None else call.body.sha256
    return hashlib.sha256(sent + uploaded.encode()).hexdigest()
