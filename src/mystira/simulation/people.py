"""Accounts and profiles as a document store of some years' standing would hold them.

Most are plain. The rest are awkward in ways that real data is, each by a stated share, because those are
what a move between stores trips over. Everything follows from the `Random` that is passed in: the same
seed makes the same people, in every process.

Here they are made as the present system spells them. `leave_behind` turns a small share of them (three in a
hundred) into documents as the former system left them: names that begin with a capital, the identity at the
sign-in provider under that provider's name, and each list of strings as one text with commas in between.
"""

import datetime as dt
import unicodedata
from collections.abc import Iterator
from random import Random
from typing import Final

from mystira.simulation.making import (
    DAY,
    OPEN_DAYS,
    OPENED,
    Document,
    Oddities,
    make_odd,
    make_uuid,
    offset,
    pick,
    seven_digits,
    spell,
    unknown_fields,
)
from mystira.simulation.names import EMOJI, GIVEN_NAMES, PEOPLE

_MAIL_DOMAINS: Final = ("example.org", "example.com", "example.net", "mail.example.org")
_LANGUAGES: Final = ("en", "en", "en", "en-ZA", "af", "zu", "de", "fr", "pt-BR", "ja", "ar")
_THEMES_SHOWN: Final = ("system", "light", "dark")
_ROLES: Final = ("User",) * 16 + ("Guest",) * 3 + ("Admin",)
_PLANS: Final = (("Free", "Free"),) * 6 + (
    ("Monthly", "Family"),
    ("Annual", "Family"),
    ("Lifetime", "Founder"),
    ("Individual", "Single"),
)
SCENARIOS: Final = tuple(
    f"{place}-{matter}"
    for place in ("lantern-harbour", "moss-library", "glass-desert", "upside-hill", "winter-orchard")
    for matter in ("lost-map", "quiet-storm", "borrowed-name", "last-biscuit", "two-doors", "tall-shadow")
)
"""Ids of stories that people here have played."""

_AGE_GROUPS: Final = (
    ("1-2", 1, 2),
    ("3-5", 3, 5),
    ("6-9", 6, 9),
    ("6-9", 6, 9),
    ("10-12", 10, 12),
    ("13-18", 13, 18),
)
_INTERESTS: Final = ("dragons", "deep sea", "space", "detectives", "forests", "robots", "music", "cooking")
_PRONOUNS: Final = ("she/her", "he/him", "they/them")
_BADGES: Final = (
    ("steady-breath", "Steady Breath", "Self-Regulation", 3.0),
    ("second-thought", "Second Thought", "Self-Regulation", 6.0),
    ("open-door", "Open Door", "Curiosity & Initiative", 2.5),
    ("first-footprint", "First Footprint", "Curiosity & Initiative", 5.0),
    ("night-lamp", "Night Lamp", "Courage", 4.0),
)


def make_account(random: Random, index: int) -> Document:
    """An account as a document. `index` makes its e-mail address unlike that of every other index."""
    name, spelled = pick(random, PEOPLE)
    plan, tier = pick(random, _PLANS)
    created = int(random.random() * OPEN_DAYS * DAY)
    seen = created + int(random.random() * 200 * DAY)
    account: Document = {
        "id": make_uuid(random),
        "email": f"{spelled}.{index}@{pick(random, _MAIL_DOMAINS)}",
        "externalUserId": f"sim|{random.getrandbits(64):016x}",
        "displayName": name,
        "role": pick(random, _ROLES),
        "settings": {
            "cacheCredentials": random.random() < 0.8,
            "requireAuthOnStartup": random.random() < 0.1,
            "preferredLanguage": pick(random, _LANGUAGES),
            "notificationsEnabled": random.random() < 0.7,
            "theme": pick(random, _THEMES_SHOWN),
        },
        "subscription": _make_subscription(random, plan, tier, created),
        "completedScenarioIds": _make_completed(random),
        "createdAt": spell(created),
        "updatedAt": spell(seen),
        "lastLoginAt": spell(seen),
    }
    return make_odd(random, account, _ACCOUNT_ODDITIES)


def make_profile(random: Random, account_id: str | None) -> Document:
    """A profile as a document; without an account it is a guest's."""
    age_group, youngest, oldest = pick(random, _AGE_GROUPS)
    created = int(random.random() * OPEN_DAYS * DAY)
    age = youngest + random.random() * (oldest + 1 - youngest)
    profile: Document = {
        "id": make_uuid(random),
        "accountId": account_id,
        "name": pick(random, GIVEN_NAMES),
        "ageGroup": age_group,
        "dateOfBirth": (OPENED + dt.timedelta(days=OPEN_DAYS - int(age * 365.25))).date().isoformat(),
        "isGuest": account_id is None,
        "isNpc": random.random() < 0.02,
        "pronouns": pick(random, _PRONOUNS),
        "avatarMediaId": f"avatar-{int(random.random() * 40):02d}",
        "preferredThemes": [pick(random, _INTERESTS)] if random.random() < 0.6 else [],
        "hasCompletedOnboarding": random.random() < 0.9,
        "earnedBadges": _make_badges(random, created),
        "createdAt": spell(created),
        "updatedAt": spell(created + DAY),
    }
    return make_odd(random, profile, _PROFILE_ODDITIES)


def make_former_accounts(random: Random, count: int, *, twins: int = 0) -> Iterator[Document]:
    """`count` accounts as the former system left them: never versioned, never saying when they changed.

    `twins` pairs among them share an e-mail address but for the case of its letters, which the former
    system took and the target's unique index refuses. Raises ValueError where the pairs do not fit.
    """
    places = sorted(random.sample(range(count), 2 * twins))
    first_of = dict(zip(places[1::2], places[::2], strict=True))
    kept = dict.fromkeys(places[::2], "")
    for index in range(count):
        account = make_account(random, index)
        del account["updatedAt"]
        if index in kept:
            kept[index] = account["email"]
        elif index in first_of:
            account["email"] = kept[first_of[index]].swapcase()
        yield account


FORMER_SHARE: Final = 0.03
"""Of documents, those that still are as the former system wrote them."""


def leave_behind(random: Random, document: Document) -> Document:
    """The document as it lies in the document store: a share of them as the former system wrote it.

    What it says is the same; names that nobody declared stay as they are.
    """
    if random.random() >= FORMER_SHARE:
        return document
    rest = {name: value for name, value in document.items() if name != "id"}
    return {"id": document["id"]} | _as_formerly(rest)


_NEVER_DECLARED: Final = ("loyalty", "legacyNumber", "flags", "fontScale", "storeCountry", "shownOnShelf")
_FORMER_NAMES: Final = {"externalUserId": "Auth0UserId"}


def _as_formerly(document: Document) -> Document:
    former: Document = {}
    for name, value in document.items():
        if name in _NEVER_DECLARED:
            former[name] = value
            continue
        if name == "earnedBadges":
            value = [_as_formerly(badge) for badge in value]
        elif isinstance(value, list):
            value = ",".join(value)
        elif isinstance(value, dict):
            value = _as_formerly(value)
        former[_FORMER_NAMES.get(name, name[0].upper() + name[1:])] = value
    return former


def _make_subscription(random: Random, plan: str, tier: str, created: int) -> Document:
    subscription: Document = {
        "type": plan,
        "tier": tier,
        "isActive": True,
        "startDate": spell(created),
        "purchasedScenarios": [],
    }
    if plan == "Free":
        return subscription
    until = created + int(random.random() * 900 * DAY)
    subscription |= {
        "productId": f"mystira-{tier.lower()}",
        "isActive": random.random() < 0.85,
        "validUntil": None if plan == "Lifetime" else spell(until),
        "purchaseToken": f"{random.getrandbits(96):024x}",
        "lastVerified": spell(created + DAY),
        "purchasedScenarios": [pick(random, SCENARIOS)] if plan == "Individual" else [],
    }
    return subscription


def _make_completed(random: Random) -> list[str]:
    first, count = int(random.random() * len(SCENARIOS)), int(random.random() * 4)
    return [SCENARIOS[(first + 7 * step) % len(SCENARIOS)] for step in range(count)]


def _make_badges(random: Random, created: int) -> list[Document]:
    first, count = int(random.random() * len(_BADGES)), int(random.random() * 4)
    badges = []
    for step in range(count):
        configuration, name, axis, threshold = _BADGES[(first + step) % len(_BADGES)]
        badges.append(
            {
                "id": make_uuid(random),
                "badgeConfigurationId": configuration,
                "badgeName": name,
                "badgeMessage": f"{name}, on the way along {axis}.",
                "axis": axis,
                "triggerValue": threshold + random.random(),
                "threshold": threshold,
                "earnedAt": spell(created + (step + 1) * DAY),
                "scenarioId": pick(random, SCENARIOS),
                "imageId": f"badge-{configuration}",
            }
        )
    return badges


# -- what makes records awkward ----------------------------------------------------------------------------


def _capitals(random: Random, account: Document) -> None:
    """An e-mail address as its owner likes to see it."""
    email: str = account["email"]
    account["email"] = email.title() if random.random() < 0.8 else email.upper()


def _emoji(random: Random, record: Document) -> None:
    name = "name" if "name" in record else "displayName"
    record[name] = f"{record[name]} {pick(random, EMOJI)}"


def _decomposed(_: Random, record: Document) -> None:
    """Letters and their accents apart (NFD): the same to the eye, another text to a computer."""
    name = "name" if "name" in record else "displayName"
    record[name] = unicodedata.normalize("NFD", record[name])


def _unknown_fields_in_parts(random: Random, account: Document) -> None:
    account["settings"]["fontScale"] = pick(random, (1, 1.0, 1.25))
    account["subscription"]["storeCountry"] = pick(random, ("ZA", "DE", None))


def _unknown_fields_in_badges(_: Random, profile: Document) -> None:
    for badge in profile["earnedBadges"]:
        badge["shownOnShelf"] = True


def _nulls(_: Random, account: Document) -> None:
    """Said to be nothing, where others say nothing."""
    account["externalUserId"] = None
    account["subscription"] |= {"productId": None, "validUntil": None, "endDate": None}


def _gaps(_: Random, account: Document) -> None:
    del account["externalUserId"]
    del account["settings"]["theme"]


def _empty_texts(_: Random, account: Document) -> None:
    account["displayName"] = ""
    account["subscription"]["productId"] = ""


def _profile_nulls(_: Random, profile: Document) -> None:
    profile["pronouns"] = profile["bio"] = profile["dateOfBirth"] = None


def _profile_gaps(_: Random, profile: Document) -> None:
    del profile["pronouns"], profile["dateOfBirth"], profile["avatarMediaId"]


def _empty_profile_texts(_: Random, profile: Document) -> None:
    profile["bio"] = profile["avatarMediaId"] = ""


_ACCOUNT_ODDITIES: Final[Oddities] = (
    (0.10, seven_digits),
    (0.05, offset),
    (0.06, _capitals),
    (0.04, _emoji),
    (0.04, _decomposed),
    (0.05, unknown_fields),
    (0.04, _unknown_fields_in_parts),
    (0.02, _empty_texts),
    (0.03, _gaps),
    # After the gaps, one of which it fills: a record says null or nothing, and null is the rarer.
    (0.06, _nulls),
)
"""Which share of accounts is awkward in which way; one may be so in several."""

_PROFILE_ODDITIES: Final[Oddities] = (
    (0.10, seven_digits),
    (0.05, offset),
    (0.05, _emoji),
    (0.04, _decomposed),
    (0.04, unknown_fields),
    (0.04, _unknown_fields_in_badges),
    (0.03, _profile_gaps),
    (0.06, _profile_nulls),
    (0.02, _empty_profile_texts),
)
