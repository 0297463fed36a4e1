"""Where a list goes on, as callers hand it back: opaque to them."""

import base64
import binascii

from mystira.http.problems import ProblemError


def continuation_after(mark: str) -> str:
    """What to hand out so that a list goes on after a mark."""
    return base64.urlsafe_b64encode(mark.encode()).decode("ascii")


def read_continuation(continuation: str | None) -> str | None:
    """The mark after which a list is to go on. Raises ProblemError for what was never handed out."""
    if continuation is None:
        return None
    try:
        return base64.b64decode(continuation.encode("ascii"), b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        detail = "The continuation cannot be read."
        raise ProblemError("invalid_continuation", detail, path="continuation") from error
