"""What families are told by mail when they sign up or in."""

from mystira.domain.letters import Letter, write_letter
from mystira.domain.signing_in.codes import spell_code

_SUBJECT = "Your code for Mystira"
_TYPE_IT = "Type it where you asked for it. It holds for ten minutes, and once."
_NOT_YOU = (
    "If it was not you who asked, you need not do anything: without this code nobody gets in. "
    "Please give it to nobody, not even to us."
)


def welcome(email: str, display_name: str, code: str) -> Letter:
    """To somebody who is new."""
    before = [
        f"Hello {display_name},",
        "how good that you would like to read and play with us. This code opens your family's account:",
    ]
    return write_letter(
        to=email, subject=_SUBJECT, before=before, shown=spell_code(code), after=[_TYPE_IT, _NOT_YOU]
    )


def already_here(email: str, display_name: str, code: str) -> Letter:
    """To somebody who asked for an account and has one."""
    before = [
        _greeting(display_name),
        "somebody asked to open an account with this address, and your family has one already. "
        "There is no need for another: this code lets you in to the one that you have.",
    ]
    return write_letter(
        to=email, subject=_SUBJECT, before=before, shown=spell_code(code), after=[_TYPE_IT, _NOT_YOU]
    )


def come_in(email: str, display_name: str, code: str) -> Letter:
    """To somebody who has an account."""
    before = [_greeting(display_name), "here is the code that lets you in:"]
    return write_letter(
        to=email, subject=_SUBJECT, before=before, shown=spell_code(code), after=[_TYPE_IT, _NOT_YOU]
    )


def _greeting(display_name: str) -> str:
    return f"Hello {display_name}," if display_name else "Hello,"
