"""What a demonstration found, as figures."""

from collections.abc import Iterable, Sequence, Set
from typing import Final

import msgspec

from mystira.demonstration.recovery import Recovered, Recovery, share_of
from mystira.simulation.latency import Milliseconds
from mystira.simulation.ledger import Entry, read_ledger
from mystira.simulation.pauses import longest_pause
from mystira.simulation.processes import TrafficProcesses
from mystira.simulation.witness import Tally

PAUSE_LIMIT: Final = 1.0
"""Seconds for which nobody's writes may stand still at a change of truth."""
TAKEN_OVER_LIMIT: Final = 3.0
"""The same where the coordinator was killed while writes waited: nodes let them go on within 2 s, a lease."""

RECOVERY_LIMIT: Final = 5.0
"""The same where PostgreSQL or the API itself was killed, and had to come back."""


class Cut(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One change of the truth: the coordinator's own `pause` in seconds, and the time around it (`began` to
    `ended`, by the clock of the ledgers).

    `pause` is None where the coordinator died once it had decided; `drains` is how often writes were stopped.
    """

    kind: str
    step: str
    pause: float | None
    drains: int
    began: float
    ended: float


class Pause(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The write pause at one change of truth, in milliseconds: the coordinator's figure, and that of people.

    People's: for each process of the traffic, the longest time in which a write of the kind was due and none
    was acknowledged; the median and the longest over the processes. `limit` is what it must stay below.
    """

    kind: str
    step: str
    coordinator: float | None
    people_p50: float
    people_max: float
    limit: float

    @property
    def is_short(self) -> bool:
        """Whether it stayed below its limit."""
        return max(self.people_max, self.coordinator or 0.0) < self.limit


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """The copy of a kind: records, seconds from the request to the end, and records a second.

    `queued` is how many came before their parents, and waited in the sync queue for them.
    """

    records: int
    seconds: float
    rate: float
    queued: int


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """How far the copy was behind, in milliseconds, over all samples."""

    samples: int
    p50: float
    p99: float
    max: float


class Moved(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How one kind fared: its copy, its lag, the steps at which a worker was killed, its last certificate."""

    kind: str
    copy: Copied
    lag: Lag
    killed_at: tuple[str, ...]
    certificate: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A step that was asked for although it must not be taken (`why`), and the reasons that were given."""

    kind: str
    step: str
    why: str
    reasons: tuple[str, ...]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """The traffic: requests, their rate a second, latencies in milliseconds, and refusals by code."""

    requests: int
    rate: float
    reads: Milliseconds
    writes: Milliseconds
    repeated: int
    problems: dict[str, int]


class Settled(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a kind came to rest: its phase, and what is still under way there."""

    kind: str
    phase: str
    under_way: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing waits to be ended."""
        return not self.under_way


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step that was done, what came of it, and how long it took."""

    title: str
    result: str
    seconds: float


class Report(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The whole. `failures` says why it was no success, if it was none."""

    seed: int
    accounts: int
    profiles: int
    workers: int
    witness: Tally
    pauses: tuple[Pause, ...]
    kinds: tuple[Moved, ...]
    refused: tuple[Refused, ...]
    load: Load
    kills: int
    restarts: int
    recovered: Recovered
    recoveries: tuple[Recovery, ...]
    phases: tuple[Settled, ...]
    steps: tuple[Step, ...]
    seconds: float
    failures: tuple[str, ...]

    @property
    def is_success(self) -> bool:
        """Whether everything is as it must be."""
        return not self.failures


def pauses_of(
    cuts: Sequence[Cut], traffic: TrafficProcesses, hurt: Set[tuple[str, str]] = frozenset()
) -> tuple[Pause, ...]:
    """The pause at each change of truth. Reads the ledgers, whose writers have ended.

    `hurt` are the kinds and steps at which what people talk to was killed itself.
    """
    ledgers = [list(read_ledger(path)) for path in traffic.ledgers]
    return tuple(_pause(cut, ledgers, is_hurt=(cut.kind, cut.step) in hurt) for cut in cuts)


def _pause(cut: Cut, ledgers: Sequence[Sequence[Entry]], *, is_hurt: bool) -> Pause:
    # By kind: while one stands still, the writes of the other go on.
    seconds = (
        longest_pause((entry for entry in each if entry.kind == cut.kind), cut.began, cut.ended)
        for each in ledgers
    )
    ordered = sorted(seconds)
    limit = RECOVERY_LIMIT if is_hurt else PAUSE_LIMIT if cut.drains <= 1 else TAKEN_OVER_LIMIT
    return Pause(
        kind=cut.kind,
        step=cut.step,
        coordinator=None if cut.pause is None else _milliseconds(cut.pause),
        people_p50=_milliseconds(ordered[len(ordered) // 2]),
        people_max=_milliseconds(ordered[-1]),
        limit=_milliseconds(limit),
    )


def lag_of(seconds: Iterable[float]) -> Lag:
    """The figures of a number of samples."""
    samples = list(seconds)
    p50, p99, most = (_milliseconds(share_of(samples, share)) for share in (0.5, 0.99, 1.0))
    return Lag(samples=len(samples), p50=p50, p99=p99, max=most)


def load_of(traffic: TrafficProcesses) -> Load:
    """The figures of the traffic so far."""
    tally = traffic.tally
    return Load(
        requests=tally.requests,
        rate=round(tally.requests / tally.seconds, 1) if tally.seconds else 0.0,
        reads=Milliseconds.of(tally.reads),
        writes=Milliseconds.of(tally.writes),
        repeated=tally.repeated,
        problems=tally.problems,
    )


def failures_of(
    witness: Tally,
    pauses: Sequence[Pause],
    load: Load,
    recovered: Recovered,
    phases: Sequence[Settled],
) -> tuple[str, ...]:
    """Why figures are no success, one sentence each."""
    failures = []
    if witness.lost:
        failures.append(f"{witness.lost} records lost an acknowledged write.")
    if witness.divergent:
        failures.append(f"{witness.divergent} records are not as they were acknowledged.")
    if not witness.acknowledged:
        failures.append("No write was acknowledged, so nothing is proved.")
    failures += [
        f"Writes of {pause.kind} stood still for {pause.people_max:.0f} ms at {pause.step}."
        for pause in pauses
        if not pause.is_short
    ]
    failures += [f"{each.kind} came to no rest: {each.under_way[0]}." for each in phases if each.under_way]
    if recovered.never:
        failures.append(f"After {recovered.never} of {recovered.deaths} deaths not all came back.")
    failures += [f"{count} requests ended in {code}." for code, count in load.problems.items()]
    return tuple(failures)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
