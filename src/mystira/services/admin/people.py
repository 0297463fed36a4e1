"""Who asks, and for what reason they may see what is masked."""

from typing import Annotated, Any, Final, TypeVar
from urllib.parse import unquote

from msgspec import Meta, Struct

from manystore.clock import Clock
from manystore.followers.queue import audit
from manystore.stores.store import Store
from mystira.http.operations import Call

_UNNAMED: Final = "operator"

Reason = Annotated[str, Meta(min_length=3, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+(?![\s\S])")]
"""Why somebody does something, in words that another can judge."""


class Unmasking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With a `reason`, personal values are shown, and the reason is written down."""

    reason: Reason | None = None


def actor_of(call: Call[Any]) -> str:
    """Who asks, to be written down. The operation must be one that `names_actor`."""
    if call.caller.account_id is not None:
        # Somebody who is signed in is who they are, whatever they call themselves.
        return f"account:{call.caller.account_id}"
    # A program of the platform speaks for whoever runs it, whose name only it can know.
    return call.header("x-actor") or _UNNAMED


def reason_of(call: Call[Any]) -> str | None:
    """Why it is asked, where that was said. The operation must be one that `gives_reason`."""
    given = call.header("x-reason")
    return None if given is None else unquote(given)


U = TypeVar("U", bound=Unmasking)


async def note_reading(store: Store, clock: Clock, call: Call[U], *, action: str, subject: str) -> bool:
    """Whether personal values may be shown; if so it has been written down who sees them and why."""
    actor = actor_of(call)
    if call.sent.reason is None:
        return False
    await audit(store, clock, actor=actor, action=action, subject=subject, reason=call.sent.reason)
    return True
