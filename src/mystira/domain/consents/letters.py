"""What a parent is told by mail when a consent is asked for."""

from collections.abc import Iterable
from typing import Final

from mystira.domain.consents.model import Purpose
from mystira.domain.letters import Letter, write_letter
from mystira.domain.signing_in.codes import spell_code

_MEANS: Final = {
    Purpose.PLAY: "let it play, and keep what it chose in stories, with the badges that follow",
    Purpose.DETAILS: "keep a date of birth, a text about the child, pronouns, and a picture of its own",
    Purpose.NAME: "use more than a first name",
    Purpose.ANALYTICS: "count its choices in stories among those of all children",
    Purpose.PURCHASES: "buy something in its name",
}


def ask_parent(email: str, scope: Iterable[Purpose], code: str) -> Letter:
    """To the parent, without the child's name: letters pass through many hands."""
    before = [
        "Hello,",
        "for a child's profile in your family's account, you are asked to allow us to:",
        *(f"– {_MEANS[purpose]};" for purpose in scope),
        "If you do, type this code where you were asked for it. It holds for a day, and once.",
    ]
    after = [
        "You can take this back at any time, for as long as there is a profile; it counts at once.",
        "If you do not want it, you need not do anything: without this code nothing changes.",
    ]
    return write_letter(
        to=email, subject="Your consent is asked for", before=before, shown=spell_code(code), after=after
    )
