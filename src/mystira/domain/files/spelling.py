"""Finds the word that was probably meant."""

import difflib
from collections.abc import Collection
from typing import Final

_TRIES: Final = 50
"""How many words are compared with all that are known, which takes long; after that nobody reads on."""


class Spelling:
    """The words that are known in one place."""

    def __init__(self, known: Collection[str]) -> None:
        self._known, self._tries = sorted(known), _TRIES
        self._found: dict[str, str] = {}

    def perhaps(self, word: str) -> str:
        """The end of a sentence about a word that is not known: `; perhaps "title" is meant`, or nothing."""
        if word not in self._found:
            if self._tries == 0:
                return ""
            self._tries -= 1
            nearest = difflib.get_close_matches(word[:100], self._known, n=1, cutoff=0.75)
            self._found[word] = f"; perhaps {nearest[0]!r} is meant" if nearest else ""
        return self._found[word]
