"""How the App API shows a record, restated for the witness.

The witness shares no code with what it judges, so it has its own idea, from the specification, of what a
stored document looks like from outside: defaults filled in, moments in one spelling, unknown names left out.
Both what a store holds and what the API answered are brought to this form before they are compared.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any, Final

from mystira.simulation.ledger import Document

_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)

_SETTINGS: Final[Document] = {
    "cacheCredentials": True,
    "requireAuthOnStartup": False,
    "preferredLanguage": "en",
    "notificationsEnabled": True,
    "theme": "system",
}
_SUBSCRIPTION: Final[Document] = {
    "type": "Free",
    "tier": "Free",
    "productId": None,
    "isActive": True,
    "validUntil": None,
    "startDate": None,
    "endDate": None,
    "purchaseToken": None,
    "lastVerified": None,
    "purchasedScenarios": [],
}
_ACCOUNT: Final[Document] = {
    "id": None,
    "createdAt": None,
    "updatedAt": None,
    "email": None,
    "externalUserId": None,
    "displayName": "",
    "role": "Guest",
    "settings": _SETTINGS,
    "subscription": _SUBSCRIPTION,
    "completedScenarioIds": [],
    "lastLoginAt": None,
}
_BADGE: Final[Document] = {
    "id": None,
    "badgeConfigurationId": None,
    "badgeName": None,
    "axis": None,
    "earnedAt": None,
    "badgeId": None,
    "badgeMessage": "",
    "triggerValue": 0.0,
    "threshold": 0.0,
    "gameSessionId": None,
    "scenarioId": None,
    "imageId": "",
}
_PROFILE: Final[Document] = {
    "id": None,
    "createdAt": None,
    "updatedAt": None,
    "accountId": None,
    "name": "",
    "ageGroup": "6-9",
    "dateOfBirth": None,
    "isGuest": False,
    "isNpc": False,
    "pronouns": None,
    "bio": None,
    "avatarMediaId": None,
    "selectedAvatarMediaId": None,
    "preferredThemes": [],
    "hasCompletedOnboarding": False,
    "earnedBadges": [],
}
_DEFAULTS: Final[Mapping[str, Document]] = {"accounts": _ACCOUNT, "user_profiles": _PROFILE}
_ELEMENTS: Final[Mapping[str, Document]] = {"earnedBadges": _BADGE}


def shown(kind: str, document: Document) -> Document:
    """A record in the form in which the App API shows it; done again, nothing changes."""
    return _fill(document, _DEFAULTS[kind])


def hidden(kind: str, document: Document) -> Document:
    """What a stored document holds beside what is shown, at any depth; nothing that was shown is in it."""
    return _rest(document, _DEFAULTS[kind])


def _fill(document: Document, defaults: Document) -> Document:
    filled = {}
    for name, default in defaults.items():
        value = document.get(name, default)
        if isinstance(default, dict) and isinstance(value, dict):
            value = _fill(value, default)
        elif name in _ELEMENTS and isinstance(value, list):
            value = [_fill(element, _ELEMENTS[name]) for element in value]
        elif isinstance(default, float) and isinstance(value, int):
            value = float(value)
        filled[name] = spell_moment(value)
    return filled


def _rest(document: Document, defaults: Document) -> Document:
    rest: Document = {}
    for name, value in document.items():
        if name not in defaults:
            rest[name] = value
        elif isinstance(value, dict) and isinstance(defaults[name], dict):
            rest |= {f"{name}.{inner}": held for inner, held in _rest(value, defaults[name]).items()}
        elif name in _ELEMENTS:
            for element in value:
                held = _rest(element, _ELEMENTS[name])
                rest |= {f"{name}[{element.get('id')}].{inner}": each for inner, each in held.items()}
    return rest


def spell_moment(value: Any) -> Any:
    """A moment in UTC with six digits, cut and not rounded; anything else as it is."""
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    day, time, fraction, sign, hours, minutes = match.groups()
    try:
        moment = dt.datetime.fromisoformat(f"{day}T{time}.{(fraction or '').ljust(6, '0')}")
        if sign is not None:
            ahead = dt.timedelta(hours=int(hours), minutes=int(minutes))
            moment = moment - ahead if sign == "+" else moment + ahead
    except (ValueError, OverflowError):
        return value
    return moment.isoformat(timespec="microseconds") + "Z"
