"""Accounts and profiles in memory, with room for somebody else to come between a read and a write."""

import datetime as dt
import itertools
from collections.abc import Awaitable, Callable

from manystore.placement import Leases, Placement
from manystore.records import Content, Kind, Record
from manystore.repository import Repository
from manystore.stores.memory import MemoryStore
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.accounts.model import Account
from mystira.domain.ids import MakeId
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.domain.profiles.model import UserProfile
from tests.unit.clocks import ManualClock

Interruption = Callable[[Kind], Awaitable[None]]

ABSENT = "00000000-0000-7000-8000-00000000dead"


class InterruptibleStore(MemoryStore):
    """Lets each planned interruption happen just before one write, in turn."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.interruptions: list[Interruption] = []

    async def _interrupt(self, kind: Kind) -> None:
        if self.interruptions:
            await self.interruptions.pop(0)(kind)

    async def put(
        self,
        kind: Kind,
        key: str,
        content: Content,
        *,
        expected: int | None,
        epoch: int,
        above: int = 0,
    ) -> Record:
        await self._interrupt(kind)
        return await super().put(kind, key, content, expected=expected, epoch=epoch, above=above)

    async def delete(self, kind: Kind, key: str, *, expected: int, epoch: int, above: int = 0) -> Record:
        await self._interrupt(kind)
        return await super().delete(kind, key, expected=expected, epoch=epoch, above=above)


class Household:
    """Both repositories over one store, a clock that stands still and ids that count."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = InterruptibleStore("documents")
        self.elsewhere = MemoryStore("tables")
        accounts = Placement(kind=ACCOUNTS, source=self.store, target=self.elsewhere)
        profiles = Placement(
            kind=USER_PROFILES, source=self.store, target=self.elsewhere, parents=(ACCOUNTS,)
        )
        leases = Leases([accounts, profiles], node="test", clock=self.clock, lease=3600.0)
        self.accounts = Repository(Account, ACCOUNTS, leases, self.clock)
        self.profiles = Repository(UserProfile, USER_PROFILES, leases, self.clock)
        self.maker: MakeId = map("00000000-0000-7000-8000-{:012x}".format, itertools.count(1)).__next__

    @property
    def now(self) -> dt.datetime:
        return self.clock.now()

    async def write_document(self, kind: Kind, document: Content) -> None:
        """Put a document as an older program left it, past the use cases."""
        await self.store.apply(kind, [Record(document["id"], 0, document)])

    async def document(self, kind: Kind, key: str) -> Content:
        """The document as it lies in the store."""
        record = await self.store.get(kind, key)
        assert record is not None
        assert record.content is not None
        return record.content


async def open_household() -> Household:
    """A household with its stores open."""
    household = Household()
    await household.store.open()
    await household.elsewhere.open()
    return household
