"""Claim: at 1 000 writes a second a copy has 99 of 100 writes within 250 ms, in both directions.

Two processes write accounts, as an API's processes do, while one worker process follows. Now and then this
process writes an account too, and then looks every other millisecond whether the copy has that version: so
the lag is seen from outside, from the confirmation of a write on.
"""

import asyncio
import time
from collections import deque
from random import Random

import msgspec

from benchmarks.bars import SYNC_LAG
from benchmarks.measuring import Benchmark, Claim, Effort, Figure, Measured, percentile
from benchmarks.stages import moving_accounts, take
from benchmarks.writing import Orders, writers
from manystore.followers.sync import Track
from manystore.moves.tasks import Action
from manystore.repository import Stored
from manystore.stores.store import Store
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.accounts.model import Account
from mystira.platform import Platform
from mystira.settings import Settings
from mystira.simulation.people import make_former_accounts

FORWARD = Claim(bar=SYNC_LAG, case="documents to PostgreSQL", unit="s")
BACK = Claim(bar=SYNC_LAG, case="PostgreSQL to documents", unit="s")
ACCOUNTS_WRITTEN, RATE, PROCESSES = 4_000, 1_000.0, 2
PROBES, PROBED_A_SECOND = 200, 40.0
SECONDS = 6.0
LEAST_SHARE = 0.9
"""Of the writes that are due, to be confirmed by the end; with fewer it is another, easier load."""
_LOOK_EVERY = 0.002


class Probes:
    """Writes of our own among those of the others, each awaited at the copy."""

    def __init__(self, platform: Platform, copy: Store, resting: list[Stored[Account]]) -> None:
        self._accounts, self._copy, self._resting = platform.accounts, copy, deque(resting)
        self._random = Random(1)

    async def lags(self, seconds: float) -> list[float]:
        """How long each write took to arrive, in seconds, in as long a time."""
        found: list[float] = []
        due = began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while (due := due + self._random.expovariate(PROBED_A_SECOND)) < began + seconds:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(self._probe(found))
        return found

    async def _probe(self, found: list[float]) -> None:
        stored = self._resting.popleft()
        name = f"Probe {self._random.getrandbits(40)}"
        changed = await self._accounts.change(
            stored, msgspec.structs.replace(stored.value, display_name=name)
        )
        confirmed = time.monotonic()
        while not await self._has(changed):  # noqa: ASYNC110 - another process brings it there
            await asyncio.sleep(_LOOK_EVERY)
        found.append(time.monotonic() - confirmed)
        self._resting.append(changed)

    async def _has(self, written: Stored[Account]) -> bool:
        held = await self._copy.get(ACCOUNTS, written.key)
        return held is not None and held.version >= written.version


async def _measure(
    claim: Claim, effort: Effort, settings: Settings, platform: Platform, keys: list[str]
) -> Figure:
    rate, seconds = effort.of((RATE, SECONDS), (50.0, 1.0))
    track: Track = await platform.track("accounts")
    resting = [stored for key in keys[:PROBES] if (stored := await platform.accounts.get(key))]
    probes = Probes(platform, track.copy, resting)
    orders = Orders(keys=keys[PROBES:], writes=rate)
    async with writers(settings, effort.folder / track.copy.name, orders, processes=PROCESSES) as written:
        rounds = [await probes.lags(seconds) for _ in range(effort.rounds + 1)][1:]
        reports = await written()
    writes = sorted(write for report in reports for write in report.writes)
    lasted = writes[-1][0] - writes[0][0]
    confirmed = len([at for _, at in writes if at <= writes[-1][0]]) / lasted
    if confirmed < LEAST_SHARE * rate and not effort.is_quick:
        raise RuntimeError(f"{claim.case}: of {rate:,.0f} writes a second {confirmed:,.0f} were confirmed")
    lags = [lag for each in rounds for lag in each]
    note = (
        f"{confirmed:,.0f} writes confirmed a second; of {len(lags):,} lags p50 "
        f"{percentile(lags, 0.5) * 1000:.0f} ms, longest {max(lags) * 1000:.0f} ms"
    )
    return claim.figure([percentile(each, 0.99) for each in rounds], note=note)


async def measure(effort: Effort) -> Measured:
    """Both directions, one after the other."""
    size = effort.of(ACCOUNTS_WRITTEN, 500)
    keys = [str(each["id"]) for each in make_former_accounts(Random(1), size)]
    async with moving_accounts(effort.folder, size, workers=1) as (settings, platform, _):
        await take(platform, Action.START)
        forward = await _measure(FORWARD, effort, settings, platform, keys)
        await take(platform, Action.VERIFY)
        await take(platform, Action.CUT_OVER)
        back = await _measure(BACK, effort, settings, platform, keys)
    return Measured([forward, back])


BENCHMARK = Benchmark(name="sync_lag", claims=(FORWARD, BACK), measure=measure)
