"""Puts accounts and profiles into the document store as a former system would have left them."""

import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from random import Random
from typing import Any, Final

import msgspec

from manystore.records import Content, Kind
from manystore.stores.sqlite import SqliteStore
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.settings import Settings
from mystira.simulation.ledger import Entry, Ledger
from mystira.simulation.people import leave_behind, make_former_accounts, make_profile
from mystira.simulation.views import hidden, shown

Tell = Callable[[int], None]


async def _adopt_embedded(settings: Settings, kind: Kind, contents: Iterable[Content]) -> None:
    store = SqliteStore(settings.documents_path)
    await store.open()
    try:
        await store.adopt(kind, contents)
    finally:
        await store.close()


def _whole(content: Content) -> Content:
    return content


class Documents(msgspec.Struct, frozen=True, kw_only=True):
    """A document store: the settings that lead to it, and how a former system's records get in.

    `fit` makes of a record one that the store can hold at all, and that its former system would have had.
    """

    settings: Mapping[str, str]
    adopt: Callable[[Settings, Kind, Iterable[Content]], Awaitable[None]]
    fit: Callable[[Content], Content] = _whole


EMBEDDED: Final = Documents(settings={}, adopt=_adopt_embedded)
"""The platform's own."""


class Seeds(msgspec.Struct, frozen=True, kw_only=True):
    """What was seeded: how much, and the keys of accounts whose e-mails differ only in case, pair by pair."""

    accounts: int
    profiles: int
    twins: tuple[tuple[str, ...], ...]
    orphans: tuple[str, ...]
    """Keys of profiles whose account does not exist."""
    others: tuple[str, ...]
    """Keys of some accounts that are in no pair."""


async def seed_documents(
    settings: Settings,
    documents: Documents,
    ledger: Ledger,
    *,
    seed: int,
    accounts: int,
    profiles_share: float,
    twins: int,
    orphans: int,
    others: int,
    tell: Tell,
) -> Seeds:
    """Write former records straight into the document store, noting each in the witness's ledger first.

    The witness notes what each document says; some of them say it in the former system's spelling.
    """
    random, spelling = Random(f"seeds/{seed}"), Random(f"spelling/{seed}")  # noqa: S311
    by_email: defaultdict[str, list[str]] = defaultdict(list)
    made: list[Content] = []
    for number, account in enumerate(make_former_accounts(random, accounts, twins=twins)):
        by_email[account["email"].lower()].append(account["id"])
        made.append(documents.fit(account))
        if number % 500 == 0:
            tell(number)
    owners = [account["id"] for account in made if random.random() < profiles_share]
    # Nobody has these ids: the former system never asked whether the account of a profile was there.
    nowhere = [str(uuid.UUID(int=random.getrandbits(128), version=4)) for _ in range(orphans)]
    await documents.adopt(settings, ACCOUNTS, _noted(ledger, ACCOUNTS.name, made, spelling))
    profiles = [documents.fit(make_profile(random, owner)) for owner in (*owners, *nowhere)]
    await documents.adopt(settings, USER_PROFILES, _noted(ledger, USER_PROFILES.name, profiles, spelling))
    pairs = tuple(tuple(keys) for keys in by_email.values() if len(keys) > 1)
    paired = {key for keys in pairs for key in keys}
    alone = [account["id"] for account in made if account["id"] not in paired]
    return Seeds(
        accounts=len(made),
        profiles=len(profiles),
        twins=pairs,
        orphans=tuple(profile["id"] for profile in profiles[len(owners) :]),
        others=tuple(random.sample(alone, min(others, len(alone)))),
    )


def _noted(
    ledger: Ledger, kind: str, documents: Iterable[dict[str, Any]], spelling: Random
) -> Iterator[Content]:
    for document in documents:
        ledger.write(
            Entry(
                event="seeded",
                kind=kind,
                key=document["id"],
                version=0,
                document=shown(kind, document),
                hidden=hidden(kind, document) or None,
            )
        )
        yield leave_behind(spelling, document)
