"""What simulated families want, one request at a time, and what must be there once they got it.

A family is a household: an account, and the profiles of those who play under it. It asks one thing at a time,
so that it always knows what its records have to look like. Everything random comes from the `Random` that is
passed in.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final
from urllib.parse import quote

import msgspec

from mystira.simulation.ledger import Document
from mystira.simulation.names import EMOJI, GIVEN_NAMES, PEOPLE
from mystira.simulation.people import SCENARIOS

ACCOUNTS: Final = "accounts"
PROFILES: Final = "user_profiles"
ROUTES: Final = {ACCOUNTS: "/api/v1/accounts", PROFILES: "/api/v1/profiles"}

_THEMES: Final = ("system", "light", "dark", "sepia")
_LANGUAGES: Final = ("en", "en-ZA", "af", "zu", "de", "fr", "pt-BR", "ja", "ar")
_AXES: Final = ("Self-Regulation", "Curiosity & Initiative", "Courage", "Kindness")
_PLANS: Final = (("Monthly", "Family"), ("Annual", "Family"), ("Lifetime", "Founder"), ("Free", "Free"))


class Known(msgspec.Struct):
    """A record as its family knows it: the version and document that the platform last told."""

    kind: str
    key: str
    version: int
    document: Document

    @property
    def path(self) -> str:
        """Where the App API has it."""
        return f"{ROUTES[self.kind]}/{quote(self.key, safe='')}"


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One request, and what it must lead to.

    `record` is what it is about, None where it is about to be made. `expected` is the document afterwards:
    None after a deletion; the platform fills in the properties named in `untold`. `grown` names a list that
    gets exactly one more element. Reads expect what is known.
    """

    operation: str
    method: str
    path: str
    kind: str
    record: Known | None = None
    content: Document | None = None
    query: dict[str, str] | None = None
    expected: Document | None = None
    untold: tuple[str, ...] = ()
    grown: str = ""
    idempotency_key: str = ""

    @property
    def is_write(self) -> bool:
        """Whether it changes anything."""
        return self.method != "GET"


class Family:
    """One household and everything that it knows about itself."""

    def __init__(self, number: int, run: str, random: Random, *, former: str | None = None) -> None:
        self.number, self.former = number, former
        self.account: Known | None = None
        self.profiles: list[Known] = []
        self.is_new = former is None
        """Whether it has signed up in this run, rather than long before."""
        self.unfinished: Intent | None = None
        """A write that may have happened, or may yet: asked for again before anything else."""
        self.has_left = False
        self._knows_profiles = former is None
        self._run, self._random = run, random
        self._wanted_profiles = random.randint(1, 3)
        self._serial: Iterator[int] = itertools.count(1)

    def next_intent(self) -> Intent:
        """What this family wants next."""
        if self.unfinished is not None:
            return self.unfinished
        if self.account is None:
            return self._sign_up() if self.former is None else read_unknown(ACCOUNTS, self.former)
        if not self._knows_profiles:
            return find_profiles(self.account)
        if self.is_new and len(self.profiles) < self._wanted_profiles:
            self._wanted_profiles -= 1
            return self._add_profile(self.account)
        choices = [choice for choice in _CHOICES if not choice[2] or self.profiles]
        weights = [weight for weight, _, _ in choices]
        _, choose, needs_profile = self._random.choices(choices, weights)[0]
        record = self._random.choice(self.profiles) if needs_profile else self.account
        return choose(self, record)

    def take(self, intent: Intent, key: str, version: int, document: Document) -> None:
        """Know from now on what the platform told about the record of an intent."""
        record = intent.record
        if record is None:
            record = Known(intent.kind, key, version, document)
            if intent.kind == ACCOUNTS:
                self.account = record
            else:
                self.profiles.append(record)
        record.version, record.document = version, document

    def take_profiles(self, found: Sequence[Known]) -> None:
        """Know from now on the profiles that a former family was found to have."""
        self.profiles += found
        self._knows_profiles = True

    def lose(self, record: Known) -> list[Known]:
        """A record is deleted; returns the profiles that no longer belong to an account because of it."""
        if record.kind == PROFILES:
            self.profiles = [profile for profile in self.profiles if profile is not record]
            return []
        self.has_left = True
        return self.profiles

    def _sign_up(self) -> Intent:
        name, spelled = self._random.choice(PEOPLE)
        given = {
            "email": f"{spelled}.{self._run}.{self.number}@families.example",
            "displayName": name,
            "externalUserId": f"sim|{self._run}|{self.number}",
            "settings": {"theme": self._random.choice(_THEMES), "notificationsEnabled": False},
        }
        return self._create("sign up", ACCOUNTS, given)

    def _add_profile(self, account: Known) -> Intent:
        given = {
            "accountId": account.key,
            "name": self._random.choice(GIVEN_NAMES),
            "ageGroup": self._random.choice(("3-5", "6-9", "10-12", "13-18")),
            "preferredThemes": ["dragons"],
        }
        return self._create("add profile", PROFILES, given)

    def _create(self, operation: str, kind: str, given: Document) -> Intent:
        return Intent(
            operation=operation,
            method="POST",
            path=ROUTES[kind],
            kind=kind,
            content=given,
            expected=given,
            idempotency_key=f"{self._run}-{self.number}-{next(self._serial)}",
        )

    def rename(self, record: Known) -> Intent:
        """Call itself something else."""
        name = f"{self._random.choice(PEOPLE)[0]} {self._random.choice(EMOJI)} {next(self._serial)}"
        return change("change name", record, {"displayName": name})

    def change_settings(self, record: Known) -> Intent:
        """Like to be treated differently; always in some way that differs from before."""
        settings = record.document["settings"]
        change_to = {
            "theme": self._random.choice([theme for theme in _THEMES if theme != settings["theme"]]),
            "preferredLanguage": self._random.choice(_LANGUAGES),
        }
        return change("change settings", record, {"settings": change_to})

    def change_email(self, record: Known) -> Intent:
        """Move to another mailbox."""
        email = f"box.{self._run}.{self.number}.{next(self._serial)}@families.example"
        return change("change e-mail", record, {"email": email})

    def subscribe(self, record: Known) -> Intent:
        """Buy, change or end a subscription."""
        plan, tier = self._random.choice(_PLANS)
        token = f"{self._random.getrandbits(96):024x}"
        given = {"type": plan, "tier": tier, "isActive": plan != "Free", "purchaseToken": token}
        expected = merged(record.document, {"subscription": given})
        return change("change subscription", record, given, path="/subscription", expected=expected)

    def complete_scenario(self, record: Known) -> Intent:
        """Play a story to its end, perhaps once more."""
        scenario = f"{self._random.choice(SCENARIOS)}-{self._random.randint(1, 9)}"
        done = record.document["completedScenarioIds"]
        expected = record.document | {"completedScenarioIds": [*done, *({scenario} - set(done))]}
        return Intent(
            operation="complete scenario",
            method="POST",
            path=f"{record.path}/completed-scenarios",
            kind=record.kind,
            record=record,
            content={"scenarioId": scenario},
            expected=expected,
            untold=("updatedAt",),
        )

    def earn_badge(self, record: Known) -> Intent:
        """Reach a threshold on an axis."""
        given = {
            "badgeConfigurationId": f"badge-{self._run}-{next(self._serial)}",
            "badgeName": f"Badge of {self._random.choice(PEOPLE)[0]}",
            "axis": self._random.choice(_AXES),
            "triggerValue": round(self._random.uniform(2, 9), 3),
            "threshold": 2.0,
        }
        return Intent(
            operation="earn badge",
            method="POST",
            path=f"{record.path}/badges",
            kind=record.kind,
            record=record,
            content=given,
            expected=record.document,
            untold=("updatedAt", "earnedBadges"),
            grown="earnedBadges",
        )

    def change_profile(self, record: Known) -> Intent:
        """Somebody in the family is called something else."""
        name = f"{self._random.choice(GIVEN_NAMES)} {next(self._serial)}"
        return change("change profile", record, {"name": name})


def read(record: Known) -> Intent:
    """Look at a record."""
    operation = f"read {'account' if record.kind == ACCOUNTS else 'profile'}"
    return Intent(
        operation=operation,
        method="GET",
        path=record.path,
        kind=record.kind,
        record=record,
        expected=record.document,
    )


def read_unknown(kind: str, key: str) -> Intent:
    """Look at a record that was there before anybody here came."""
    path = f"{ROUTES[kind]}/{quote(key, safe='')}"
    operation = f"read {'account' if kind == ACCOUNTS else 'profile'}"
    return Intent(operation=operation, method="GET", path=path, kind=kind)


def find(record: Known) -> Intent:
    """Look an account up by its e-mail address, as signing in does."""
    return Intent(
        operation="find by e-mail",
        method="GET",
        path=ROUTES[ACCOUNTS],
        kind=ACCOUNTS,
        record=record,
        query={"email": record.document["email"]},
        expected=record.document,
    )


def find_profiles(account: Known) -> Intent:
    """Look for the profiles of an account that was there before anybody here came."""
    return Intent(
        operation="list profiles",
        method="GET",
        path=ROUTES[PROFILES],
        kind=PROFILES,
        query={"accountId": account.key, "limit": "200"},
    )


def change(
    operation: str, record: Known, given: Document, *, path: str = "", expected: Document | None = None
) -> Intent:
    """Change some properties of a record and leave the others."""
    return Intent(
        operation=operation,
        method="PATCH",
        path=record.path + path,
        kind=record.kind,
        record=record,
        content=given,
        expected=merged(record.document, given) if expected is None else expected,
        untold=("updatedAt",),
    )


def delete(record: Known) -> Intent:
    """Take a record away."""
    operation = f"delete {'account' if record.kind == ACCOUNTS else 'profile'}"
    return Intent(operation=operation, method="DELETE", path=record.path, kind=record.kind, record=record)


def merged(document: Document, given: Document) -> Document:
    """A document with some properties set; those of parts are merged (RFC 7396)."""
    result = dict(document)
    for name, value in given.items():
        former = result.get(name)
        is_part = isinstance(value, dict) and isinstance(former, dict)
        result[name] = merged(former, value) if is_part else value  # type: ignore[arg-type]
    return result


Choose = Callable[[Family, Known], Intent]


def _plainly(intend: Callable[[Known], Intent]) -> Choose:
    return lambda _, record: intend(record)


_CHOICES: Final[tuple[tuple[int, Choose, bool], ...]] = (
    (24, _plainly(read), False),
    (16, _plainly(read), True),
    (4, _plainly(find), False),
    (14, Family.change_settings, False),
    (10, Family.rename, False),
    (6, Family.change_email, False),
    (6, Family.subscribe, False),
    (10, Family.complete_scenario, False),
    (8, Family.earn_badge, True),
    (4, Family.change_profile, True),
    (1, _plainly(delete), True),
    (1, _plainly(delete), False),
)
"""How often each is wanted, and whether it is about a profile rather than the account."""
