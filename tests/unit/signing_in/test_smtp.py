"""Letters over SMTP: as they arrive, by each way of encryption, and what a server's answers mean."""

import base64
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
import structlog

from manystore.errors import UnavailableError
from mystira.domain.letters import Letter
from mystira.gateways.mail import SmtpMail, UndeliverableError
from mystira.gateways.outgoing import Outgoing
from tests.smtp_server import SmtpServer
from tests.unit.clocks import ManualClock

LETTER = Letter(
    to="ada@example.org",
    subject="Your code for Mystira – today",
    text="Hello Ada,\n\n.\n\n    7KQ2-M4XD\n",
    html="<p>Hello Ada,</p><p>7KQ2-M4XD</p>",
)


def _mail(server: SmtpServer, scheme: str = "smtp", login: str = "", **more: Any) -> SmtpMail:
    url = f"{scheme}://{login}127.0.0.1:{server.port}"
    return SmtpMail(url, sender="mystira@example.org", clock=ManualClock(), **more)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server for 127.0.0.1 shows, and who trusts that."""
    folder: Path = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    names = ("-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")
    subprocess.run([*words, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server, ssl.create_default_context(cafile=str(certificate))


async def test_a_letter_arrives_as_it_was_written() -> None:
    """Both forms, whole, with the heads that a letter by a program has."""
    async with SmtpServer().running() as server:
        await _mail(server).send(LETTER)
    [received] = server.received
    assert (received.sender, received.recipients) == ("mystira@example.org", ["ada@example.org"])
    message = received.message
    assert (message["from"], message["to"]) == ("Mystira <mystira@example.org>", "ada@example.org")
    assert message["subject"] == LETTER.subject
    assert message["auto-submitted"] == "auto-generated"
    assert message["message-id"].endswith("@example.org>")
    text, html = message.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert text.get_content().replace("\r\n", "\n") == LETTER.text
    assert html.get_content_type() == "text/html"
    assert LETTER.html in html.get_content()


async def test_a_login_is_read_from_the_url(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """With what a URL has to spell in another way, and over an encrypted connection alone."""
    server_side, trusted = contexts
    async with SmtpServer(server_side).running() as server:
        await _mail(server, "smtps", "ada%40x:p%2Fw@", trusted=trusted).send(LETTER)
    [received] = server.received
    assert received.encrypted
    assert base64.b64decode(received.login or "") == b"\0ada@x\0p/w"


@pytest.mark.parametrize("scheme", ["smtp", "smtp+starttls"])
async def test_a_connection_is_encrypted_where_the_server_offers_it(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], scheme: str
) -> None:
    """Before anything is said of the letter."""
    server_side, trusted = contexts
    async with SmtpServer(server_side, offers_tls=True).running() as server:
        await _mail(server, scheme, trusted=trusted).send(LETTER)
    assert [each.encrypted for each in server.received] == [True]


async def test_encryption_that_is_asked_for_is_not_done_without() -> None:
    """A server, or somebody in between, who does not offer it gets no letter."""
    async with SmtpServer().running() as server:
        with pytest.raises(UnavailableError):
            await _mail(server, "smtp+starttls").send(LETTER)
    assert server.received == []


async def test_a_server_that_nobody_vouches_for_gets_no_letter(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    """Its certificate is checked, also its name."""
    async with SmtpServer(contexts[0]).running() as server:
        with pytest.raises(UnavailableError):
            await _mail(server, "smtps").send(LETTER)
    assert server.received == []


@pytest.mark.parametrize(
    ("verb", "answer", "error"),
    [
        ("RCPT", b"550 no such person", UndeliverableError),
        ("RCPT", b"451 come again", UnavailableError),
        ("MAIL", b"553 not from you", UndeliverableError),
        ("MAIL", b"421 closing", UnavailableError),
        ("DATA", b"554 never again", UndeliverableError),
        ("DATA", b"452 full", UnavailableError),
    ],
    ids=str,
)
async def test_a_server_says_whether_trying_again_may_help(
    verb: str, answer: bytes, error: type[Exception]
) -> None:
    """By the first digit of its answer; its text, which may name people, goes no further."""
    async with SmtpServer().running() as server:
        server.refusals[verb] = answer
        with pytest.raises(error) as refused:
            await _mail(server).send(LETTER)
    assert answer[4:].decode() not in str(refused.value)


async def test_a_server_that_is_away_may_come_back() -> None:
    """What is told of it names nobody, and where it is sent to is sent later."""
    async with SmtpServer().running() as server:
        mail = _mail(server)
    with structlog.testing.capture_logs() as logs:
        outgoing = Outgoing(mail, ManualClock())
        outgoing.post(LETTER)
        await outgoing.close(5.0)
    assert [each["event"] for each in logs] == ["mail.not_sent"] * 4
    assert "ada" not in str(logs)
