"""Letters to people: the same words as plain text and as simple HTML, for whichever their program shows."""

from collections.abc import Sequence
from html import escape
from typing import Final

import msgspec

_WIDTH: Final = 36
_PAGE: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{subject}</title></head>'
    '<body style="font:18px/1.5 Georgia,serif;max-width:{width}rem;margin:2rem auto;padding:0 1rem">'
    "{paragraphs}</body></html>"
)
_PARAGRAPH: Final = "<p>{text}</p>"
_SHOWN: Final = (
    '<p style="font:bold 32px/1.5 ui-monospace,monospace;letter-spacing:.15em;text-align:center">{text}</p>'
)


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What one person is sent."""

    to: str
    subject: str
    text: str
    html: str


def write_letter(*, to: str, subject: str, before: Sequence[str], shown: str, after: Sequence[str]) -> Letter:
    """A letter of paragraphs around a line that is to be seen at once (`shown`)."""
    text = "\n\n".join([*before, f"    {shown}", *after]) + "\n"
    paragraphs = [_PARAGRAPH.format(text=escape(each)) for each in before]
    paragraphs.append(_SHOWN.format(text=escape(shown)))
    paragraphs += [_PARAGRAPH.format(text=escape(each)) for each in after]
    html = _PAGE.format(subject=escape(subject), width=_WIDTH, paragraphs="".join(paragraphs))
    return Letter(to=to, subject=subject, text=text, html=html)
