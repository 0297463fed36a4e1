"""How letters leave: over SMTP."""

import contextlib
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib

from manystore.clock import Clock
from manystore.errors import UnavailableError
from mystira.domain.letters import Letter

_PATIENCE: Final = 15.0
_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_NAME: Final = "Mystira"


class UndeliverableError(Exception):
    """The server will not take this letter, however often it is sent (SMTP status {status})."""

    def __init__(self, *, status: int) -> None:
        self.status = status
        super().__init__((type(self).__doc__ or "").format(status=status))


class Mail(Protocol):
    """Where letters go."""

    async def send(self, letter: Letter) -> None:
        """Hand one over. Raises UnavailableError where trying again may help, else UndeliverableError."""


class SmtpMail:
    """An SMTP server, by a URL whose scheme says how it is encrypted.

    `smtps://` from the start, `smtp+starttls://` before anything is said, `smtp://` where the server offers
    it: for a server on the same machine.
    """

    def __init__(self, url: str, *, sender: str, clock: Clock, trusted: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._sender, self._clock, self._scheme, self._trusted = sender, clock, parts.scheme, trusted
        self._host, self._port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None

    async def send(self, letter: Letter) -> None:
        """See Mail.send."""
        with _smtp_errors():
            await aiosmtplib.send(
                self._message(letter),
                sender=self._sender,
                recipients=[letter.to],
                hostname=self._host,
                port=self._port,
                username=self._user,
                password=self._password,
                use_tls=self._scheme == "smtps",
                start_tls={"smtps": False, "smtp+starttls": True}.get(self._scheme),
                tls_context=self._trusted,
                timeout=_PATIENCE,
            )

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        message["From"] = f"{_NAME} <{self._sender}>"
        message["To"] = letter.to
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(self._clock.now())
        message["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2])
        # So that no out-of-office note comes back (RFC 3834).
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        return message


@contextlib.contextmanager
def _smtp_errors() -> Iterator[None]:
    try:
        yield
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refused(min(each.code for each in error.recipients)) from error
    except aiosmtplib.SMTPResponseException as error:
        raise _refused(error.code) from error
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        raise UnavailableError(subject="mail", reason=type(error).__name__) from error


def _refused(status: int) -> Exception:
    """The error for a status: from 500 on the answer will not change, below it may (RFC 5321, 4.2.1)."""
    if status >= 500:
        return UndeliverableError(status=status)
    return UnavailableError(subject="mail", reason=f"SMTP status {status}")
