"""The forms that text and times from outside must have, with the lengths to which they are held.

They bind what people send (request bodies), not what is stored: a record that an older rule let in must
still be readable, or nobody could correct it. Patterns end in a lookahead because `$` would let a line
break through.
"""

import datetime as dt
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from mystira.domain.errors import InvalidValueError

S = TypeVar("S", bound=msgspec.Struct)

_END: Final = r"(?![\s\S])"

EmailAddress = Annotated[
    str,
    Meta(
        max_length=254,
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}" + _END,
        description="An e-mail address of plain ASCII letters; those of other scripts in their xn-- form.",
    ),
]
"""ASCII alone, so that every store and Python agree on what differs only in case."""

Line = Annotated[str, Meta(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*" + _END)]
"""Text of one line, perhaps empty, without control characters."""

FilledLine = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+" + _END)]
"""Text of one line that says something."""

Phrase = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+" + _END)]
"""Text of one line that names something."""

Token = Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"^[\x21-\x7e]+" + _END)]
"""What another system gave us to give back, in printable ASCII."""

ShortLine = Annotated[str, Meta(max_length=50, pattern=r"^[^\x00-\x1f\x7f]*" + _END)]
"""Text of one line for a word or two."""

Paragraphs = Annotated[str, Meta(max_length=4000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*" + _END)]
"""Text of several lines."""

ContentId = Annotated[
    str, Meta(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:~-]*" + _END)
]
"""The id of a piece of content: a UUID or a slug."""

RecordId = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}" + _END)
]
"""A UUID in lower case with hyphens."""

Language = Annotated[str, Meta(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*" + _END)]
"""A language tag of BCP 47, such as `en` or `pt-BR`."""

AgeGroupSpan = Annotated[str, Meta(pattern=r"^[0-9]{1,3}-[0-9]{1,3}" + _END)]
"""From which age to which, in years, such as `6-9`."""

Instant = Annotated[dt.datetime, Meta(tz=True)]
"""A moment with its offset from UTC; kept in UTC."""


def times_in_utc(sent: S) -> S:
    """The same with every time in UTC. Raises InvalidValueError for one that UTC has no year for."""
    times = {}
    for each in msgspec.structs.fields(sent):
        value = getattr(sent, each.name)
        if isinstance(value, dt.datetime):
            try:
                times[each.name] = value.astimezone(dt.UTC)
            except OverflowError as error:
                reason = "in UTC it lies outside the years 1 to 9999"
                raise InvalidValueError(field=each.encode_name, reason=reason) from error
    return msgspec.structs.replace(sent, **times)
