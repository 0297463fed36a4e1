"""What staff are told by mail about their second factor, so that nobody sets one up behind their back."""

from mystira.domain.letters import Letter, write_letter

_NOT_YOU = (
    "If it was not you, somebody reads your mail: tell whoever runs the platform at once. They can take it "
    "away again, and with it every sign-in of yours."
)


def was_set_up(email: str) -> Letter:
    """To somebody whose account has a second factor from now on."""
    return write_letter(
        to=email,
        subject="Your account has a second factor",
        before=["Hello,", "from now on, whoever signs in to your account as staff has to show:"],
        shown="a code from your app",
        after=[_NOT_YOU],
    )
