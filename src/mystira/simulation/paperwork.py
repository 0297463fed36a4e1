"""Sign-ups, sign-ins, consents, requests to be forgotten and purchases, as documents of people who do not
exist. Most are plain, the rest awkward by stated shares.
"""

from random import Random
from typing import Final

from mystira.simulation.making import (
    DAY,
    OPEN_DAYS,
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
from mystira.simulation.names import PEOPLE
from mystira.simulation.people import SCENARIOS

_MINUTE: Final = 60_000_000
_CONSENTS: Final = ("Verified",) * 6 + ("Requested", "Requested", "Revoked")
_PURCHASES: Final = ("Granted",) * 7 + ("Reserved", "Granting", "Refunded")
_SCOPES: Final = (("play",), ("play", "progress"), ("play", "progress", "sharing"), ())


def make_signup(random: Random, index: int) -> Document:
    """A sign-up that waits for its code. `index` makes its e-mail address unlike that of any other index."""
    name, spelled = pick(random, PEOPLE)
    made, key = _moment(random), make_uuid(random)
    signup: Document = {
        "id": key,
        "email": f"{spelled}.{index}@example.org",
        "displayName": name,
        "codeHash": f"{random.getrandbits(256):064x}",
        "requestId": key,
        "createdAt": spell(made),
        "updatedAt": spell(made),
        "expiresAt": spell(made + 10 * _MINUTE),
        "isUsed": random.random() < 0.7,
        "isSignin": random.random() < 0.5,
        "failedAttempts": int(random.random() * random.random() * 6),
    }
    return make_odd(random, signup, (*_ODDITIES, (0.05, _bare_signup)))


def make_sign_in(random: Random, account_id: str) -> Document:
    """Somebody who is signed in."""
    made, role = _moment(random), pick(random, ("User", "User", "Guest", "Admin"))
    sign_in: Document = {
        "id": f"{random.getrandbits(256):064x}",
        "accountId": account_id,
        "role": role,
        "secondFactorAt": spell(made + _MINUTE) if role == "Admin" else None,
        "createdAt": spell(made),
        "updatedAt": spell(made + DAY),
        "expiresAt": spell(made + 30 * DAY),
        "lastSeenAt": spell(made + DAY),
        "userAgent": None if random.random() < 0.1 else "Mystira/1.0 (a tablet; en-ZA)",
    }
    return make_odd(random, sign_in, _ODDITIES)


def make_consent(random: Random, profile_id: str, account_id: str, index: int) -> Document:
    """What a parent was asked, and what became of it."""
    asked, status = _moment(random), pick(random, _CONSENTS)
    answered = None if status == "Requested" else spell(asked + 30 * _MINUTE)
    consent: Document = {
        "id": make_uuid(random),
        "childProfileId": profile_id,
        "accountId": account_id,
        "parentEmail": f"parent.{index}@example.org",
        "status": status,
        "method": "email",
        "scope": list(pick(random, _SCOPES)),
        "codeHash": f"{random.getrandbits(256):064x}",
        "policyVersion": pick(random, ("2023-02", "2024-09")),
        "createdAt": spell(asked),
        "updatedAt": spell(asked),
        "requestedAt": spell(asked),
        "expiresAt": spell(asked + 2 * DAY),
        "verifiedAt": answered,
        "revokedAt": spell(asked + 90 * DAY) if status == "Revoked" else None,
        "failedAttempts": int(random.random() * 3),
    }
    return make_odd(random, consent, (*_ODDITIES, (0.04, _no_email)))


def make_deletion_request(random: Random, profile_id: str, account_id: str) -> Document:
    """A request to be forgotten."""
    asked, is_done = _moment(random), random.random() < 0.8
    request: Document = {
        "id": make_uuid(random),
        "childProfileId": profile_id,
        "accountId": account_id,
        "status": "Completed" if is_done else "Requested",
        "reason": pick(random, (None, "", "We have moved on — thank you! 🌱")),
        "createdAt": spell(asked),
        "updatedAt": spell(asked),
        "requestedAt": spell(asked),
        "dueAt": spell(asked + 30 * DAY),
        "completedAt": spell(asked + 3 * DAY) if is_done else None,
    }
    return make_odd(random, request, _ODDITIES)


def make_purchase(random: Random, account_id: str | None) -> Document:
    """A bundle that was bought, or is being bought; without an account its buyer has left."""
    made, status = _moment(random), pick(random, _PURCHASES)
    first = int(random.random() * (len(SCENARIOS) - 3))
    is_charged = status != "Reserved"
    purchase: Document = {
        "id": make_uuid(random),
        "accountId": account_id,
        "bundleId": pick(random, ("winter-lights", "first-steps", "the-long-road")),
        "plan": None,
        "requestId": make_uuid(random) if random.random() < 0.5 else None,
        "scenarioIds": list(SCENARIOS[first : first + 3]),
        "status": status,
        "amount": pick(random, ("4.99", "12.00", "0.50")),
        "currency": pick(random, ("ZAR", "EUR", "USD")),
        "gateway": "sandbox",
        "reference": f"sim_{random.getrandbits(64):016x}",
        "reason": None,
        "createdAt": spell(made),
        "updatedAt": spell(made + _MINUTE),
        "chargedAt": spell(made + 1) if is_charged else None,
        "grantedAt": spell(made + 2) if status in ("Granted", "Refunded") else None,
        "refundedAt": spell(made + 9 * DAY) if status == "Refunded" else None,
    }
    return make_odd(random, purchase, _ODDITIES)


def _moment(random: Random) -> int:
    return int(random.random() * OPEN_DAYS * DAY)


def _bare_signup(_: Random, signup: Document) -> None:
    """What the former system's first release wrote."""
    for name in ("displayName", "requestId", "isSignin", "failedAttempts", "updatedAt"):
        signup.pop(name, None)


def _no_email(_: Random, consent: Document) -> None:
    consent["parentEmail"] = None


_ODDITIES: Final[Oddities] = ((0.08, seven_digits), (0.04, offset), (0.04, unknown_fields))
