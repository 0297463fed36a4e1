"""How long things took, in memory that does not grow with how many there were."""

import math
from typing import Final, Self

import msgspec

_GROWTH: Final = 1.02
"""Each bucket reaches 2 % further than the one before: no percentile is off by more."""
_FLOOR: Final = 1e-5
"""Seconds; all that is quicker counts as this."""
_LOG_GROWTH: Final = math.log(_GROWTH)


class Latencies(msgspec.Struct):
    """A histogram of durations in seconds, which can be added to another one."""

    buckets: dict[int, int] = msgspec.field(default_factory=dict)
    count: int = 0
    longest: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        bucket = math.ceil(math.log(max(seconds, _FLOOR) / _FLOOR) / _LOG_GROWTH)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.count += 1
        self.longest = max(self.longest, seconds)

    def merge(self, other: Self) -> None:
        """Count all that the other one has counted."""
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.count += other.count
        self.longest = max(self.longest, other.longest)

    def percentile(self, share: float) -> float:
        """The duration in seconds within which this share (0 to 1) of all stayed; 0 where there are none."""
        wanted, passed = share * self.count, 0
        for bucket in sorted(self.buckets):
            passed += self.buckets[bucket]
            if passed >= wanted:
                return min(_FLOOR * _GROWTH**bucket, self.longest)
        return self.longest


class Milliseconds(msgspec.Struct, frozen=True, kw_only=True):
    """What people ask of a set of durations, in milliseconds."""

    count: int
    p50: float
    p90: float
    p99: float
    max: float

    @classmethod
    def of(cls, latencies: Latencies) -> Self:
        """The figures of a histogram."""
        p50, p90, p99 = (round(latencies.percentile(share) * 1000, 2) for share in (0.5, 0.9, 0.99))
        return cls(count=latencies.count, p50=p50, p90=p90, p99=p99, max=round(latencies.longest * 1000, 2))
