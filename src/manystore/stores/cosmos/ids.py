r"""How keys are spelled as ids of items: Cosmos DB forbids `/`, `\`, `?` and `#` in an id.

The spelling keeps the code-point order of keys, so that a range of keys is a range of ids, and leaves almost
every key as it is, so that items of a former system keep their ids:

- a forbidden character is spelled as the character before it and U+E001: `/` is `.` U+E001;
- a character from U+E000 on is U+E000 and its number in six hexadecimal digits, because products disagree
  about the order of U+E000 to U+FFFF and what lies beyond (UTF-16 puts the latter first);
- the keys `.` and `..`, which no URL can end with, are `-` U+E002 and `.-` U+E002.

A key of 255 bytes is at most 1,020 bytes so, and an id may have 1,023. An id that is none of these spellings
was given by a former system and is its own key.
"""

import re
from typing import Final

_BEYOND: Final = "\ue000"
_NEXT: Final = "\ue001"
_DOTS: Final = {".": "-\ue002", "..": ".-\ue002"}
_KEYS_OF_DOTS: Final = {spelled: key for key, spelled in _DOTS.items()}

_TO_SPELL: Final = re.compile("[/\\\\?#\ue000-\U0010ffff]")
_SPELLED: Final = re.compile('\ue000([0-9a-f]{6})|([.\\[>"])\ue001')
_MARKS: Final = re.compile("[\ue000-\ue002]")


def id_of(key: str) -> str:
    """The id of the item that holds the record of this key."""
    return _DOTS.get(key) or _TO_SPELL.sub(_spell, key)


def _spell(match: re.Match[str]) -> str:
    number = ord(match.group())
    return f"{_BEYOND}{number:06x}" if number >= ord(_BEYOND) else chr(number - 1) + _NEXT


def key_of(item_id: str) -> str:
    """The key of the record in the item of this id."""
    if item_id in _KEYS_OF_DOTS:
        return _KEYS_OF_DOTS[item_id]
    if _MARKS.search(_SPELLED.sub("", item_id)):
        return item_id
    return _SPELLED.sub(_read, item_id)


def _read(match: re.Match[str]) -> str:
    number, before = match.groups()
    if before is not None:
        return chr(ord(before) + 1)
    return chr(int(number, 16)) if int(number, 16) <= 0x10FFFF else match.group()
