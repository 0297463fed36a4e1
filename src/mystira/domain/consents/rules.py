"""Who is a child, and what of a child's profile asks for a parent's consent."""

import datetime as dt
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from mystira.domain.consents.model import Purpose
from mystira.domain.errors import DomainError
from mystira.domain.profiles.model import UserProfile

OF_AGE: Final = 13
"""From which age on nobody else has to consent (COPPA, 16 CFR 312.2)."""

_DETAILS: Final = {
    "date_of_birth": "dateOfBirth",
    "bio": "bio",
    "pronouns": "pronouns",
    "avatar_media_id": "avatarMediaId",
}


class ConsentNeededError(DomainError):
    """A parent has to consent to {purpose} for a child's profile before {field} can be taken: ask for the
    consent (askForConsent), have the parent type the code that is mailed, then repeat this.
    """

    code = "consent_needed"

    def __init__(self, *, purpose: Purpose, field: str) -> None:
        self.purpose, self.field = purpose, field
        super().__init__(purpose=purpose.value, field=field)


class Guarded(Struct, frozen=True):
    """A property that asks for consent, and to what."""

    field: str
    purpose: Purpose


def is_child(profile: UserProfile, today: dt.date) -> bool:
    """Whether somebody below OF_AGE is behind a profile, by its age group or its date of birth.

    Either is enough: whoever gives a wrong one of the two gains nothing. Characters that nobody
    plays are none.
    """
    if profile.is_npc:
        return False
    first, _, last = profile.age_group.partition("-")
    oldest = last or first
    if oldest.isdigit() and int(oldest) < OF_AGE:
        return True
    return profile.date_of_birth is not None and _age(profile.date_of_birth, today) < OF_AGE


def _age(born: dt.date, today: dt.date) -> int:
    had_birthday = (today.month, today.day) >= (born.month, born.day)
    return today.year - born.year - (0 if had_birthday else 1)


def guarded(before: UserProfile | None, after: UserProfile, today: dt.date) -> Iterator[Guarded]:
    """What of a change to a profile asks for consent: what is new in it, none of what is taken away."""
    was_child = before is not None and is_child(before, today)
    if not is_child(after, today):
        if was_child and not after.is_npc:
            yield Guarded("ageGroup", Purpose.DETAILS)
        if was_child and after.is_npc:
            yield Guarded("isNpc", Purpose.DETAILS)
        return
    # What an adult's profile had is new where it becomes a child's.
    known = before if was_child else None
    for name, spelled in _DETAILS.items():
        value = getattr(after, name)
        if value and (known is None or getattr(known, name) != value):
            yield Guarded(spelled, Purpose.DETAILS)
    if _is_full_name(after.name) and (known is None or known.name != after.name):
        yield Guarded("name", Purpose.NAME)


def _is_full_name(name: str) -> bool:
    """A first name is one word; with a second one, others know who it is."""
    return len(name.split()) > 1
