r"""How keys are spelled as ids of items, in which `/`, `\`, `?`, `#`, tabs and line breaks are forbidden.

The spelling keeps the code-point order of keys, so that a range of keys is a range of ids, and leaves almost
every key as it is, so that items of a former system keep their ids:

- a forbidden character is the character before it and U+E001: `/` is `.` U+E001 (and a line feed, which
  comes after the tab, U+0008 U+E003);
- a space at the end, which the SDK refuses, and the last dot of the keys `.` and `..`, which no URL can end
  with, is the character before it and U+E002;
- a character from U+E000 on is U+E000 and its number in six hexadecimal digits, because products disagree
  about the order of U+E000 to U+FFFF and what lies beyond (UTF-16 puts the latter first).

Marks sort after every character that is left as it is, so what begins with the character before a forbidden
one still sorts before it. A key of 255 bytes is at most 1,020 bytes so, and an id may have 1,023. An id that
is none of these spellings was given by a former system and is its own key.
"""

import re
from typing import Final

_BEYOND: Final = "\ue000"
_NEXT: Final = "\ue001"
_LAST: Final = "\ue002"
_FEED: Final = "\x08\ue003"

_FORBIDDEN: Final = "/\\?#\t\n\r"
_TO_SPELL: Final = re.compile("[/\\\\?#\t\n\r\ue000-\U0010ffff]")
_SPELLED: Final = re.compile('\ue000([0-9a-f]{6})|([.\\[>"\x08\x0c])\ue001|\x08\ue003')
_MARKS: Final = re.compile("[\ue000-\ue003]")


def id_of(key: str) -> str:
    """The id of the item that holds the record of this key."""
    if key.endswith(" ") or key in (".", ".."):
        return _TO_SPELL.sub(_spell, key[:-1]) + chr(ord(key[-1]) - 1) + _LAST
    return _TO_SPELL.sub(_spell, key)


def is_id(text: str) -> bool:
    """Whether the service, its SDK and a URL take the text as an id as it is."""
    return not (set(text) & set(_FORBIDDEN) or text.endswith(" ") or text in (".", ".."))


def _spell(match: re.Match[str]) -> str:
    char = match.group()
    if char >= _BEYOND:
        return f"{_BEYOND}{ord(char):06x}"
    return _FEED if char == "\n" else chr(ord(char) - 1) + _NEXT


def key_of(item_id: str) -> str:
    """The key of the record in the item of this id."""
    spelled, last = item_id, ""
    if item_id.endswith(_LAST) and len(item_id) > 1:
        spelled, last = item_id[:-2], chr(ord(item_id[-2]) + 1)
    if _MARKS.search(_SPELLED.sub("", spelled)):
        return item_id
    return _SPELLED.sub(_read, spelled) + last


def _read(match: re.Match[str]) -> str:
    number, before = match.groups()
    if before is not None:
        return chr(ord(before) + 1)
    if number is None:
        return "\n"
    return chr(int(number, 16)) if int(number, 16) <= 0x10FFFF else match.group()
