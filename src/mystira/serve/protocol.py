"""HTTP/1.1 as uvicorn speaks it, except that what is no HTTP at all is refused like everything else."""

from http import HTTPStatus
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mystira.http.entrance import plain_refusal
from mystira.http.problems import ProblemError

_FIRST_WORD: Final = 0.2
"""Seconds that the first request of a connection may still take to arrive when the service is to end."""


class ProblemProtocol(HttpToolsProtocol):
    """Refuses with a problem document what its parser cannot read: an unknown method, a control character."""

    def shutdown(self) -> None:
        """End with the request under way, if there is one.

        Whoever has just come in cannot know that this service is about to end: their request is answered if
        it is on its way. (Those who kept a connection do know that it may be closed, and ask again.)
        """
        # The first request makes the first cycle, which until then is None, whatever its type says.
        if self.cycle:
            super().shutdown()
        else:
            self.loop.call_later(_FIRST_WORD, super().shutdown)

    def send_400_response(self, msg: str) -> None:
        """Answer, and close: where the next request begins is not known."""
        refused = ProblemError("bad_request", "This is not a request as HTTP/1.1 spells it.")
        body, headers = plain_refusal(refused, path="")
        lines = [b"HTTP/1.1 400 %b" % HTTPStatus.BAD_REQUEST.phrase.encode()]
        lines += [b"%b: %b" % header for header in (*headers, (b"connection", b"close"))]
        self.transport.write(b"\r\n".join([*lines, b"", body]))
        self.transport.close()
