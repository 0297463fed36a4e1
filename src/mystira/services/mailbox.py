"""The letters of a platform that people try out on their own machine, as a page and as JSON.

    /mailbox                       the newest letters
    /mailbox/messages?to=ADDRESS   what came for one address

Whoever reads them can sign in as anybody. So they are there only where nothing sends mail, and only for who
asks from this machine by one of its own names: a page of another site that a browser here was lured to has
another name, even where it points to this machine.
"""

import ipaddress
from collections.abc import Iterator
from html import escape
from typing import Any, Final
from urllib.parse import urlsplit

from litestar.response.base import ASGIResponse
from msgspec import Struct

from mystira.domain.forms import EmailAddress
from mystira.gateways.mailbox import Kept, Mailbox
from mystira.http.callers import ANYONE
from mystira.http.operations import NOT_KEPT, Answer, Call, Operation, show
from mystira.http.pages import SECURITY, frame
from mystira.http.problems import ProblemError
from mystira.http.queries import Nothing
from mystira.http.service import Service

PREFIX: Final = "/mailbox"
_OWN_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SHOWN: Final = 50


class MessageSearch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom."""

    to: EmailAddress


class Messages(Struct, frozen=True, kw_only=True):
    """Letters, newest first; there are never more than fit on one page."""

    items: list[Kept]
    continuation: None = None


def mailbox_service(mailbox: Mailbox) -> Service:
    """The service over a mailbox."""

    async def page(call: Call[Nothing]) -> Answer:
        _require_nearness(call)
        text = frame("Mailbox", _parts(await mailbox.newest(_SHOWN)))
        headers = {"Cache-Control": NOT_KEPT, **SECURITY}
        return ASGIResponse(body=text.encode(), media_type="text/html", headers=headers)

    async def messages(call: Call[MessageSearch]) -> Answer:
        _require_nearness(call)
        return show(Messages(items=await mailbox.letters(call.sent.to)))

    operations: tuple[Operation[Any], ...] = (
        Operation(
            method="GET",
            path="/",
            name="mailbox",
            summary="The newest letters",
            takes=Nothing,
            handle=page,
            answers={200: None},
            allows=ANYONE,
        ),
        Operation(
            method="GET",
            path="/messages",
            name="listMessages",
            summary="What came for one address",
            takes=MessageSearch,
            handle=messages,
            answers={200: Messages},
            allows=ANYONE,
        ),
    )
    return Service(
        name="mailbox",
        prefix=PREFIX,
        title="Mailbox",
        description="Letters that nobody sends.",
        operations=operations,
    )


def _require_nearness(call: Call[Any]) -> None:
    """Raise ProblemError, as if there were no mailbox, unless who asks is on this machine."""
    named = urlsplit(f"//{call.header('host') or ''}")
    if not _is_loopback(call.address) or named.hostname not in _OWN_NAMES:
        raise ProblemError("unknown_route", "No operation has this path.")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _parts(letters: list[Kept]) -> Iterator[str]:
    yield "<p>This platform sends no mail: what it would have sent is kept here for an hour, "
    yield "and shown to nobody but you, on this machine. "
    yield "Set <code>smtp_url</code> to send it instead, and this page is gone.</p>"
    if not letters:
        yield "<p>Nothing has come yet. Ask for a code, then load this page again.</p>"
    for letter in letters:
        at = letter.at.strftime("%H:%M:%S")
        yield f"<details open><summary><b>{at}</b> {escape(letter.to)}: {escape(letter.subject)}</summary>"
        yield f"<pre>{escape(letter.text)}</pre></details>"
