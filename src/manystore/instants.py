"""Instants in time as documents spell them (RFC 3339 text) and as stores compare them (whole microseconds).

PostgreSQL rounds a seventh fractional digit, even into the next second, and other readers cut it. Here it
is cut, always, and the codec keeps the original text where the cut lost something.
"""

import datetime as dt
import re
from typing import Final

_SPELLING: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_TOO_FINE: Final = re.compile(r"(T\d\d:\d\d:\d\d\.\d{6})\d+(.*)", re.ASCII | re.IGNORECASE)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


def parse_instant(text: object) -> dt.datetime | None:
    """The instant that an RFC 3339 text names, in UTC, cut to the microsecond; None for anything else.

    Leap seconds, years outside 0001 to 9999 and texts without an offset name no instant here.
    """
    match = _SPELLING.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, offset = match.group(7) or "", match.group(8)
    micros = int(fraction[:6].ljust(6, "0"))
    try:
        naive = dt.datetime(year, month, day, hour, minute, second, micros, tzinfo=dt.UTC)
        if offset in "Zz":
            return naive
        ahead = dt.timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
        return naive - ahead if offset[0] == "+" else naive + ahead
    except (ValueError, OverflowError):
        return None


def cut_text(text: str) -> str:
    """The same text with at most six fractional digits: what readers that round read as it is read here."""
    return _TOO_FINE.sub(r"\1\2", text)


def spell_instant(instant: dt.datetime) -> str:
    """The engine's own spelling: UTC, `Z`, a fraction of six digits, and none at all where it is zero."""
    text = instant.astimezone(dt.UTC).replace(tzinfo=None).isoformat()
    return text + "Z"


def microseconds(instant: dt.datetime) -> int:
    """Whole microseconds since 1970 in UTC, which is how instants are ordered."""
    return (instant - _EPOCH) // _MICROSECOND
