"""Which family visits, and whom of it a path names."""

import msgspec

from mystira.domain.accounts.model import Account
from mystira.domain.errors import NotFoundError
from mystira.domain.forms import RecordId
from mystira.domain.profiles.model import UserProfile
from mystira.domain.profiles.use_cases import Profiles, read_profile
from mystira.services.play.visits import Visit


def account_of(visit: Visit) -> Account:
    """The account of whoever is signed in."""
    assert visit.account is not None, "these pages are for whoever is signed in"
    return visit.account


async def reader_of(profiles: Profiles, visit: Visit) -> UserProfile:
    """The reader that the path names. Raises NotFoundError for none, and for one of another family."""
    try:
        key = msgspec.convert(visit.path["profile_id"].lower(), RecordId)
    except msgspec.ValidationError:
        raise NotFoundError(kind="user_profiles", key=visit.path["profile_id"]) from None
    reader = (await read_profile(profiles, key)).value
    if (reader.account_id or "").lower() != account_of(visit).id.lower():
        raise NotFoundError(kind="user_profiles", key=key)
    return reader
