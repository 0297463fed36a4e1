"""How a household's grown-ups allow its children to play: a letter each, and its code typed.

One thing at a time, as in all of an evening. Whoever does not hear whether a code was taken looks how the
consent stands.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from mystira.simulation.asking import Ask
from mystira.simulation.ledger import Document
from mystira.simulation.notes import Note

Take = Callable[[Any], list[Note]]

SIGNING_IN: Final = "Your code for Mystira"
CONSENT: Final = "Your consent is asked for"
"""The subjects of letters, by which those who get them know what a code is for."""
OF_AGE: Final = 13

_CODE: Final = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b")


def code_in(letters: list[Document], subject: str) -> str:
    """The code in the newest letter of that subject; empty where it is still on its way."""
    for letter in letters:
        if letter["subject"] == subject and (found := _CODE.search(letter["text"])) is not None:
            return found.group()
    return ""


def is_child(age_group: str) -> bool:
    """Whether those of an age group need a parent's consent to play."""
    return int(age_group.rpartition("-")[2]) < OF_AGE


class Guardian:
    """Those of a household who were not allowed to play yet, and how far it is with the first of them.

    `create` makes a request that is safe to repeat, and `get` one that changes nothing, each with the
    household's own headers.
    """

    def __init__(
        self,
        email: str,
        create: Callable[[str, str, Document, Take], Ask],
        get: Callable[[str, str, Take], Ask],
    ) -> None:
        self._email, self._create, self._get = email, create, get
        self._children: list[str] = []
        self._given_up: set[str] = set()
        self._consent = self._code = ""
        self._is_doubtful = False

    def take_in(self, profile: str, age_group: str) -> None:
        """Somebody new, for whom a parent may have to be asked."""
        if is_child(age_group):
            self._children.append(profile)

    def may_play(self, profile: str) -> bool:
        """Whether somebody is allowed to play, as far as is known here."""
        return profile not in self._given_up

    def next_ask(self) -> Ask | None:
        """What comes next for the first who waits; None where all may play."""
        if not self._children:
            return None
        if not self._consent:
            return self._ask(self._children[0])
        if self._is_doubtful:
            return self._get("read consent", f"/consents/{self._consent}", self._take_consent)
        return self._confirm() if self._code else self._read_mail()

    def _ask(self, profile: str) -> Ask:
        def take(body: Any) -> list[Note]:
            self._consent = body["id"]
            return []

        def refused(_: str) -> None:
            # Asked for too often: this one reads nothing tonight.
            self._given_up.add(self._children.pop(0))

        path = f"/profiles/{profile}/consents"
        ask = self._create("ask for consent", path, {"scope": ["play"]}, take)
        return msgspec.structs.replace(ask, accepts=("too_often",), refused=refused)

    def _read_mail(self) -> Ask:
        def take(body: Any) -> list[Note]:
            self._code = code_in(body["items"], CONSENT)
            return []

        path = "/mailbox/messages"
        return Ask(operation="read mail", method="GET", path=path, query={"to": self._email}, take=take)

    def _confirm(self) -> Ask:
        def refused(code: str) -> None:
            # The letter in hand may be an older one; a code that is void may have been taken unheard.
            self._code, self._is_doubtful = "", code != "wrong_code"

        content = {"code": self._code}
        path = f"/consents/{self._consent}/confirm"
        ask = self._create("confirm consent", path, content, self._take_consent)
        headers = {name: value for name, value in ask.headers.items() if name != "Idempotency-Key"}
        return msgspec.structs.replace(
            ask,
            headers=headers,
            accepts=("wrong_code", "code_void"),
            resolves=("code_void",),
            refused=refused,
        )

    def _take_consent(self, body: Any) -> list[Note]:
        self._code, self._is_doubtful = "", False
        if body["status"] == "Verified":
            self._children.pop(0)
        # One that was guessed at too often, or took too long, is asked for anew.
        self._consent = ""
        return []
