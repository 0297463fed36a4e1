"""Letters on their way out: handed over here and sent in the background, so that no request waits for a mail
server, and how long a request takes tells nobody whether a letter was written.

They are kept in memory alone. Should the process die first, whoever waits for a code asks for another.
"""

import asyncio
from typing import Final

import structlog

from manystore.clock import Clock
from manystore.errors import UnavailableError
from mystira.domain.letters import Letter
from mystira.gateways.mail import Mail, UndeliverableError

MOST_WAITING: Final = 1000
AT_ONCE: Final = 8
PAUSES: Final = (1.0, 5.0, 25.0)
"""Seconds before each further attempt. A code holds for ten minutes, so there is no use in more."""

log = structlog.get_logger(__name__)


class Outgoing:
    """Sends letters by `mail` (None: there is no way to send any)."""

    def __init__(self, mail: Mail | None, clock: Clock) -> None:
        self._mail, self._clock = mail, clock
        self._sending: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(AT_ONCE)

    def require_room(self) -> None:
        """Raise UnavailableError where no letter can be taken now. For every request, before it is known
        whether there will be a letter.
        """
        if self._mail is None:
            raise UnavailableError(subject="mail", reason="no SMTP server is set", retry_after=60.0)
        if len(self._sending) >= MOST_WAITING:
            raise UnavailableError(subject="mail", reason="too many letters wait", retry_after=5.0)

    def post(self, letter: Letter) -> None:
        """Take a letter, to be sent soon. Raises UnavailableError."""
        self.require_room()
        assert self._mail is not None, "there is room, so there is a way"
        task = asyncio.create_task(self._send(self._mail, letter), name="letter")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def close(self, seconds: float) -> None:
        """Wait so long for what is under way, then give it up."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=seconds)
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _send(self, mail: Mail, letter: Letter) -> None:
        for pause in (*PAUSES, None):
            try:
                async with self._free:
                    await mail.send(letter)
                return
            except UndeliverableError as error:
                log.warning("mail.refused", status=error.status)
                return
            except UnavailableError as error:
                # Neither address nor text: whoever reads logs need not know who writes to us.
                log.warning("mail.not_sent", reason=error.reason, again_in=pause)
            if pause is not None:
                await self._clock.sleep(pause)
