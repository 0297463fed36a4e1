"""Claim: when the truth moves, writes pause for 100 ms at most, and reads do not pause at all.

Two processes write 500 accounts a second and read 100, as an API's processes do, while one worker cuts over
to PostgreSQL and back again, ten times. The pause is the longest time in which a process had a write to
confirm and confirmed none, from the request for the step until half a second after it; the longest read of
that time is held against the longest of as long a time just before.
"""

import asyncio
import time
from collections.abc import Sequence
from random import Random

import msgspec

from benchmarks.bars import READ_PAUSE, WRITE_PAUSE
from benchmarks.measuring import Benchmark, Chart, Claim, Effort, Figure, Measured, percentile
from benchmarks.stages import moving_accounts, take
from benchmarks.writing import Orders, Report, writers
from manystore.moves.tasks import Action
from mystira.platform import Platform
from mystira.simulation.ledger import Entry
from mystira.simulation.pauses import longest_pause
from mystira.simulation.people import make_former_accounts

OVER = Claim(bar=WRITE_PAUSE, case="cut-over", unit="s")
BACK = Claim(bar=WRITE_PAUSE, case="cut-back", unit="s")
READS = Claim(
    bar=READ_PAUSE,
    unit="s",
    missed="No read waits for a cut, but from one moment to the next all come from the other store, which "
    "has read none of these accounts lately. It is a matter of a millisecond or two.",
)
ACCOUNTS_WRITTEN, WRITES, READS_A_SECOND, PROCESSES = 4_000, 500.0, 100.0, 2
ROUNDS = 10
"""Of a cut-over and a cut-back each: twenty changes of truth."""
_AFTER = 0.5
_CALM = 1.5
_NEAR = 1.0
_CUTS = {Action.CUT_OVER: OVER, Action.CUT_BACK: BACK}


class Cut(msgspec.Struct):
    """One change of truth, on the clock of this machine; `told` is the pause by the engine's own account.

    From `calm` on until it began, nothing else was done.
    """

    action: Action
    calm: float
    began: float
    ended: float
    told: float

    @property
    def before(self) -> tuple[float, float]:
        """As long a time just before it, or what there was of it."""
        return max(self.calm, 2 * self.began - self.ended), self.began


async def _await_copy(platform: Platform) -> None:
    """No truth is moved while its copy is far behind, as it may be on a machine that is short of breath."""
    async with asyncio.timeout(60.0):
        while (await platform.status("accounts")).lag_seconds.last > _NEAR:  # noqa: ASYNC110 - of a worker
            await asyncio.sleep(0.5)


async def _cut(platform: Platform, action: Action) -> Cut:
    await _await_copy(platform)
    # What the step before has left to do must not count for this one, nor for the time before it.
    await asyncio.sleep(_AFTER)
    calm = time.monotonic()
    await asyncio.sleep(_CALM)
    began = time.monotonic()
    result = await take(platform, action)
    await asyncio.sleep(_AFTER)
    return Cut(action, calm, began, time.monotonic(), result["pause"])


def write_pause(reports: Sequence[Report], began: float, ended: float) -> float:
    """The longest time, in seconds, in which some process owed an answer to a write and gave none."""
    return max(longest_pause(_entries(report), began, ended) for report in reports)


def _entries(report: Report) -> list[Entry]:
    return [Entry(event="acknowledged", kind="accounts", key="", due=due, at=at) for due, at in report.writes]


def longest_read(reports: Sequence[Report], window: tuple[float, float]) -> float:
    """Seconds of the longest read that was due in a window; nobody read anything: an error."""
    began, ended = window
    return max(at - due for report in reports for due, at in report.reads if began <= due <= ended)


def _figures(cuts: list[Cut], reports: list[Report]) -> list[Figure]:
    figures = []
    for action, claim in _CUTS.items():
        mine = [cut for cut in cuts if cut.action is action]
        pauses = [write_pause(reports, cut.began, cut.ended) for cut in mine]
        calm = [write_pause(reports, *cut.before) for cut in mine]
        note = (
            f"of {len(mine)}: median {percentile(pauses, 0.5) * 1000:.0f} ms; without a change of truth "
            f"{percentile(calm, 0.5) * 1000:.0f} ms; by the engine's account "
            f"{max(cut.told for cut in mine) * 1000:.0f} ms at most"
        )
        figures.append(claim.figure([percentile(pauses, 0.99)], note=note))
    ours = [longest_read(reports, (cut.began, cut.ended)) for cut in cuts]
    peer = [longest_read(reports, cut.before) for cut in cuts]
    note = f"the longest of all {max(ours) * 1000:.0f} ms, of all without {max(peer) * 1000:.0f} ms"
    return [*figures, READS.figure(ours, peer, note=note)]


def _chart(cuts: list[Cut], reports: list[Report]) -> Chart:
    lines: dict[str, list[tuple[float, float]]] = {}
    for action, claim in _CUTS.items():
        mine = sorted(write_pause(reports, cut.began, cut.ended) for cut in cuts if cut.action is action)
        lines[claim.case] = [(100 * (n + 1) / len(mine), 1000 * pause) for n, pause in enumerate(mine)]
    return Chart(
        name="write-pause",
        title="Pause of writes when the truth moves, 500 writes a second",
        x="share of changes of truth, %",
        y="pause within, ms",
        lines=lines,
        limit=1000 * WRITE_PAUSE.limit,
    )


async def measure(effort: Effort) -> Measured:
    """There and back, again and again, under writes and reads."""
    size = effort.of(ACCOUNTS_WRITTEN, 500)
    writes, reads = effort.of((WRITES, READS_A_SECOND), (50.0, 50.0))
    keys = [str(each["id"]) for each in make_former_accounts(Random(1), size)]
    cuts = []
    async with moving_accounts(effort.folder, size, workers=1) as (settings, platform, _):
        await take(platform, Action.START)
        orders = Orders(keys=keys, writes=writes, reads=reads)
        async with writers(settings, effort.folder, orders, processes=PROCESSES) as written:
            for _ in range(effort.of(ROUNDS, 1)):
                await take(platform, Action.VERIFY)
                cuts += [await _cut(platform, action) for action in _CUTS]
            reports = await written()
    return Measured(_figures(cuts, reports), [_chart(cuts, reports)])


BENCHMARK = Benchmark(name="write_pause", claims=(OVER, BACK, READS), measure=measure)
