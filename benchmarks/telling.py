"""How figures read: one line a claim, with the same words on the terminal and on the page."""

from collections.abc import Sequence

import msgspec

from benchmarks.bars import Bar, Unit
from benchmarks.measuring import Benchmark, Claim, Figure


class Line(msgspec.Struct, frozen=True):
    """A claim's line, in words."""

    what: str
    ours: str
    against: str
    peer: str
    ratio: str
    bar: str
    verdict: str
    note: str


def lines(benchmark: Benchmark, figures: Sequence[Figure]) -> list[Line]:
    """Each claim that was measured, in the order of the claims."""
    return [_line(claim, figure) for claim in benchmark.claims for figure in figures if _is_of(figure, claim)]


def missed(benchmark: Benchmark, figures: Sequence[Figure]) -> list[Claim]:
    """The claims whose bars are not reached."""
    pairs = ((claim, figure) for claim in benchmark.claims for figure in figures)
    return [claim for claim, figure in pairs if _is_of(figure, claim) and not claim.is_held_by(figure)]


def amount(value: float, unit: Unit) -> str:
    """A figure with its unit: 0.000123 s is 123 µs."""
    if unit == "s":
        scale, name = next((each for each in ((1, "s"), (1e3, "ms")) if value * each[0] >= 1), (1e6, "µs"))
        return f"{value * scale:.3g} {name}"
    if unit == "/s":
        return f"{value:,.0f}/s"
    return f"{value:,.0f} MB" if unit == "MB" else f"{value:.3g}{' ×' if unit == '×' else ''}"


def limit(bar: Bar) -> str:
    """The bar itself: "≤ 1.3 ×"."""
    return f"{'≤' if bar.at_most is not None else '≥'} {amount(bar.limit, bar.unit)}"


def _is_of(figure: Figure, claim: Claim) -> bool:
    return (figure.bar, figure.case) == (claim.bar.name, claim.case)


def _line(claim: Claim, figure: Figure) -> Line:
    bar = claim.bar
    has_peer = bool(figure.peer)
    return Line(
        what=f"{bar.what}: {claim.case}" if claim.case else bar.what,
        ours=amount(figure.our_median, claim.unit),
        against=bar.against,
        peer=amount(figure.peer_median, claim.unit) if has_peer else "–",
        ratio=amount(figure.value if has_peer else figure.value / bar.limit, "×"),
        bar=limit(bar),
        verdict="held" if claim.is_held_by(figure) else "**missed**",
        note=figure.note,
    )
