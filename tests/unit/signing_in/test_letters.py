"""What families are sent: the same as text and as HTML, whatever their names are."""

import asyncio
from collections.abc import Callable
from html import unescape

import pytest
import structlog

from manystore.errors import UnavailableError
from mystira.domain.letters import Letter
from mystira.domain.signing_in import letters
from mystira.gateways.mail import UndeliverableError
from mystira.gateways.mailbox import MemoryMailbox
from mystira.gateways.outgoing import MOST_WAITING, PAUSES, Outgoing
from tests.unit.clocks import ManualClock
from tests.unit.signing_in.doorstep import code_in

CODE = "7KQ2M4XD"
LETTERS = [letters.welcome, letters.already_here, letters.come_in]


@pytest.mark.parametrize("write", LETTERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("name", ["Ada", "", '<b>"Ada" & Co.</b>'])
def test_both_forms_say_the_same(write: Callable[[str, str, str], Letter], name: str) -> None:
    """Every paragraph of the text stands in the HTML, where nothing of a name counts as markup."""
    letter = write("ada@example.org", name, CODE)
    assert letter.to == "ada@example.org"
    assert code_in(letter) == "7KQ2-M4XD"
    for paragraph in letter.text.split("\n\n"):
        assert paragraph.strip() in unescape(letter.html)
    assert "<b>" not in letter.html
    assert "ten minutes" in letter.text
    assert CODE not in letter.subject


# -- on their way out ----------------------------------------------------------------------------------

LETTER = Letter(to="ada@example.org", subject="A code", text="1234", html="<p>1234</p>")


class Failing:
    """A mail server that fails in one way, so many times."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.times, self.sent = error, times, list[Letter]()
        self.attempts = 0

    async def send(self, letter: Letter) -> None:
        self.attempts += 1
        if self.attempts <= self.times:
            raise self.error
        self.sent.append(letter)


async def test_a_letter_is_sent_without_anybody_waiting() -> None:
    """Handing it over takes no time; it is there soon."""
    mailbox = MemoryMailbox(ManualClock())
    outgoing = Outgoing(mailbox, ManualClock())
    outgoing.post(LETTER)
    assert await mailbox.letters(LETTER.to) == []
    await outgoing.close(5.0)
    assert [each.text for each in await mailbox.letters(LETTER.to)] == ["1234"]


async def test_a_server_that_is_away_is_tried_again() -> None:
    """After a second, five and twenty-five; then the letter is given up, as its code soon will be."""
    clock = ManualClock()
    mail = Failing(UnavailableError(subject="mail", reason="a test"), times=len(PAUSES))
    began = clock.monotonic()
    outgoing = Outgoing(mail, clock)
    outgoing.post(LETTER)
    await outgoing.close(5.0)
    assert mail.sent == [LETTER]
    assert clock.monotonic() - began == sum(PAUSES)
    gone = Failing(UnavailableError(subject="mail", reason="a test"), times=99)
    outgoing = Outgoing(gone, clock)
    outgoing.post(LETTER)
    await outgoing.close(5.0)
    assert (gone.attempts, gone.sent) == (len(PAUSES) + 1, [])


async def test_a_letter_that_is_refused_is_not_sent_again() -> None:
    """The server would refuse it each time. What is written down tells of nobody."""
    mail = Failing(UndeliverableError(status=550), times=99)
    outgoing = Outgoing(mail, ManualClock())
    with structlog.testing.capture_logs() as logs:
        outgoing.post(LETTER)
        await outgoing.close(5.0)
    assert mail.attempts == 1
    assert logs == [{"event": "mail.refused", "status": 550, "log_level": "warning"}]


async def test_without_a_way_to_send_nothing_is_taken() -> None:
    """Whoever asks is told before it is known whether there would be a letter."""
    outgoing = Outgoing(None, ManualClock())
    for asking in (outgoing.require_room, lambda: outgoing.post(LETTER)):
        with pytest.raises(UnavailableError):
            asking()


async def test_no_more_letters_wait_than_there_is_room_for() -> None:
    """A mail server that hangs costs no more memory than that; what waits is given up at the end."""

    class Hanging:
        async def send(self, letter: Letter) -> None:
            await asyncio.Event().wait()

    outgoing = Outgoing(Hanging(), ManualClock())
    for _ in range(MOST_WAITING):
        outgoing.post(LETTER)
    with pytest.raises(UnavailableError):
        outgoing.require_room()
    await outgoing.close(0.0)
    outgoing.require_room()
