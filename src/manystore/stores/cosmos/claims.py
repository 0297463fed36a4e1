"""Values that no two records of a kind share: one item a value, in the container `manystore-claims`.

The service's own unique keys hold within one logical partition only, and tell letters by case. So a value is
claimed before it is written: an item whose id is made from constraint and value can be made once. The order
is **claim → write the record → give the former value's claim up**; whatever crashes between two of these
leaves at worst a claim whose owner does not hold the value.

Such a claim may also be that of a writer who is between claiming and writing. Nobody can tell the two apart
by looking, so the next claimant waits a moment, and then makes sure that the owner *cannot* write any more:

1. it reads the claim, and the owner's item, which does not hold the value;
2. it writes the owner's item anew, unchanged (or marks its place, where there is none), so that a write under
   the ETag that the owner read fails;
3. it takes the claim over, if that still has the ETag of 1.

An owner that was only slow fails at its write, begins again, and writes its claim anew before its record, so
that 3 fails; or it finds the claim taken, and is refused. Either way one of the two holds the value. No clock
takes part: the wait only spares a slow owner the trouble.

A record remembers the ETags of its claims (see `items`), and gives a claim up only under the one it
remembers, so that it cannot take away what was claimed anew meanwhile.

Records of a former system have no claims, nor have those that others wrote. While a container holds any, a
new claim is checked against these by a query; a handle that found none looks again once it met one. A kind
that is partitioned by another property than its id could hold one key twice, in two logical partitions; there
the key itself is claimed in the same way when it is first written.
"""

import asyncio
import hashlib
import random
from collections.abc import Collection
from typing import Any, Final, Protocol

import msgspec

from manystore.errors import UnavailableError, UniqueError
from manystore.former import spellings
from manystore.records import Content, Kind, Unique, canonical, is_plain_text
from manystore.stores.cosmos.account import Account, Layout
from manystore.stores.cosmos.containers import Container, Query
from manystore.stores.cosmos.items import MISSING, STATE, Held, Home, Item, held_in, nonce, path_in_item

_LAYOUT: Final = Layout("manystore-claims", "id")
_TRIES: Final = 12
_PATIENCE: Final = (0.02, 0.04, 0.08, 0.15, 0.3, 0.5)
"""Seconds between two looks at a claim whose owner does not hold its value, before it is taken over."""
_UNCLAIMED: Final = "(NOT IS_DEFINED(c._manystore.v) OR IS_DEFINED(c._manystore.u))"
KEY: Final = "manystore:key"
"""The constraint by which keys are claimed."""


class Owner(msgspec.Struct, frozen=True):
    """Who claims: a record and the place of its item."""

    key: str
    home: Home


class Claim(msgspec.Struct, frozen=True):
    """A claim that is held now; `is_new` where it was not this owner's before."""

    constraint: str
    item_id: str
    etag: str
    is_new: bool


class Places(Protocol):
    """What claims need to know of the records' container."""

    async def held_at(self, key: str, home: Home) -> Held | None:
        """The item of this key in one logical partition."""

    async def unsettle(self, key: str, home: Home, held: Held | None) -> bool:
        """Make sure that a write based on `held` fails; whether `held` was still what is there."""


class _Wanted(msgspec.Struct, frozen=True):
    unique: Unique
    value: str
    owner: Owner
    among: frozenset[str]
    """Records that give the value up in the same exchange."""


class Claims:
    """The claims of one kind."""

    def __init__(self, account: Account, kind: Kind, container: Container, places: Places) -> None:
        self._kind, self._records, self._places = kind, container, places
        self._name = account.name
        self._container = Container(account, _LAYOUT, kind.name)
        self._is_adopted = False

    def expect_unclaimed(self) -> None:
        """There is a record now whose values were written by others, and so were not claimed."""
        self._is_adopted = False

    async def reserve(
        self,
        held: Held | None,
        owner: Owner,
        content: Content | None,
        among: Collection[str] = (),
    ) -> list[Claim]:
        """Claim what the content must be alone with. Raises UniqueError, with nothing newly claimed.

        Records `among` these exchange values: claims are taken over from them though they hold them still.
        """
        claims: list[Claim] = []
        try:
            for wanted, known in self._wanted(held, owner, content, among):
                claims.append(known or await self._take(wanted))
        except UniqueError:
            await self.give_back(claims)
            raise
        return claims

    async def check(
        self, held: Held | None, owner: Owner, content: Content | None, among: Collection[str]
    ) -> None:
        """Raise UniqueError where a record that is not `among` these holds a value of the content."""
        for wanted, known in self._wanted(held, owner, content, among):
            if known is not None or wanted.unique.name == KEY:
                continue
            item_id = self._id(wanted.unique, wanted.value)
            claim = await self._container.read(item_id, item_id)
            if claim is not None and claim["owner"] not in {owner.key, *among}:
                home = _read_home(claim["home"])
                if _holds(wanted, await self._places.held_at(claim["owner"], home)):
                    raise self._taken(wanted)
            if await self._is_held_unclaimed(wanted):
                raise self._taken(wanted)

    def _wanted(
        self, held: Held | None, owner: Owner, content: Content | None, among: Collection[str]
    ) -> list[tuple[_Wanted, Claim | None]]:
        found: list[tuple[_Wanted, Claim | None]] = []
        if self._kind.partition_key != "id" and (held is None or held.is_placeholder):
            found.append((_Wanted(Unique(name=KEY, field="id"), owner.key, owner, frozenset()), None))
        for unique in self._kind.uniques if content is not None else ():
            value = unique.value_of(content or {})
            if value is None:
                continue
            wanted = _Wanted(unique, value, owner, frozenset(among))
            etag = None
            if held is not None and held.mark == "whole" and unique.value_of(held.content or {}) == value:
                etag = held.claims.get(unique.name)
            known = None if etag is None else Claim(unique.name, self._id(unique, value), etag, False)
            found.append((wanted, known))
        return found

    async def give_back(self, claims: list[Claim]) -> None:
        """Give up what was newly claimed for a write that was refused."""
        for claim in claims:
            if claim.is_new:
                await self._container.remove(claim.item_id, claim.item_id, claim.etag)

    async def give_up(self, held: Held | None, kept: list[Claim]) -> None:
        """Give up the claims of a former content that the present one does not keep."""
        if held is None or held.content is None:
            return
        ids = {claim.item_id for claim in kept}
        for unique in self._kind.uniques:
            value, etag = unique.value_of(held.content), held.claims.get(unique.name)
            if value is None or etag is None:
                continue
            item_id = self._id(unique, value)
            if item_id not in ids:
                await self._container.remove(item_id, item_id, etag)

    def _id(self, unique: Unique, value: str) -> str:
        text = canonical([self._kind.name, unique.name, value])
        return f"{self._kind.name}:{unique.name}:{hashlib.blake2b(text, digest_size=16).hexdigest()}"

    async def _take(self, wanted: _Wanted) -> Claim:
        item_id = self._id(wanted.unique, wanted.value)
        owner: Item = {"id": item_id, "owner": wanted.owner.key, "home": _spell_home(wanted.owner.home)}
        seen, patience = "", iter(_PATIENCE)
        for _ in range(_TRIES + len(_PATIENCE)):
            body = owner | {STATE: {"w": nonce()}}
            if etag := await self._container.create(body):
                return await self._checked(wanted, Claim(wanted.unique.name, item_id, etag, True))
            claim = await self._container.read(item_id, item_id)
            if claim is None:
                continue
            is_own = Owner(claim["owner"], _read_home(claim["home"])) == wanted.owner
            if not is_own:
                if claim["_etag"] != seen:
                    seen, patience = claim["_etag"], iter(_PATIENCE)
                if not await self._is_free(wanted, claim, next(patience, None)):
                    continue
            if etag := await self._container.replace(body, claim["_etag"]):
                return await self._checked(wanted, Claim(wanted.unique.name, item_id, etag, not is_own))
        raise UnavailableError(subject=self._name, reason=f"too many claim one {wanted.unique.name} at once")

    async def _is_free(self, wanted: _Wanted, claim: Item, wait: float | None) -> bool:
        """Whether another's claim can be taken over now; UniqueError where its owner holds the value."""
        key, home = claim["owner"], _read_home(claim["home"])
        held = await self._places.held_at(key, home)
        is_given_up = key in wanted.among
        if not is_given_up and _holds(wanted, held):
            raise self._taken(wanted)
        if wait is not None and not is_given_up:
            await asyncio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret
            return False
        return await self._places.unsettle(key, home, held)

    def _taken(self, wanted: _Wanted) -> UniqueError:
        unique = wanted.unique
        return UniqueError(
            kind=self._kind.name, key=wanted.owner.key, constraint=unique.name, field=unique.field
        )

    async def _checked(self, wanted: _Wanted, claim: Claim) -> Claim:
        """The claim, unless a record of a former system, which claimed nothing, holds the value."""
        if claim.is_new and wanted.unique.name != KEY and await self._is_held_unclaimed(wanted):
            await self.give_back([claim])
            raise self._taken(wanted)
        return claim

    async def _is_held_unclaimed(self, wanted: _Wanted) -> bool:
        if self._is_adopted or not is_plain_text(wanted.value):
            return False
        old = await self._select(f"SELECT TOP 1 c.id FROM c WHERE {_UNCLAIMED}", {}, 1)
        if not old:
            self._is_adopted = True
            return False
        names = [path_in_item(names) for names in spellings(self._kind, wanted.unique.field)]
        compared = [f"LOWER({name})" if wanted.unique.ignoring_case else name for name in names]
        any_of = " OR ".join(f"{each} = @value" for each in compared)
        text = f"SELECT * FROM c WHERE {_UNCLAIMED} AND ({any_of})"
        found = [held_in(self._kind, item) for item in await self._select(text, {"@value": wanted.value}, 10)]
        others = {wanted.owner.key, *wanted.among}
        return any(held.key not in others and _holds(wanted, held) for held in found)

    async def _select(self, text: str, parameters: dict[str, Any], page: int) -> list[Item]:
        found: list[Item] = []
        for bounds in await self._records.ranges():
            async for items in self._records.query(Query(text, parameters), bounds, page):
                found.extend(items)
        return found


def _holds(wanted: _Wanted, held: Held | None) -> bool:
    if wanted.unique.name == KEY:
        return held is not None and not held.is_placeholder
    if held is None or held.content is None:
        return False
    return wanted.unique.value_of(held.content) == wanted.value


def _spell_home(home: Home) -> list[Any]:
    return [] if home is MISSING else [home]


def _read_home(spelled: list[Any]) -> Home:
    return spelled[0] if spelled else MISSING
