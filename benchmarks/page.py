"""The page that tells how fast it is: `docs/reference/performance.md`, from whatever results are kept.

`python -m benchmarks.page` writes it anew, as every measuring does; a test fails when it is not what the
results and the code say now.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.bars import BARS, Bar
from benchmarks.charts import draw, draw_bars
from benchmarks.measuring import Benchmark, Claim, Figure
from benchmarks.profiling import Profile, known_profiles
from benchmarks.results import ROOT, Machine, Result, known
from benchmarks.running import NAMES, find
from benchmarks.telling import Line, limit, lines, missed

PAGE: Final = ROOT / "docs" / "reference" / "performance.md"
PICTURES: Final = ROOT / "docs" / "pictures"
_PREFIX: Final = "performance-"
_INTRODUCTION: Final = """# Performance

<!-- written by `make bench` and `make docs` from benchmarks/results -->

What the platform claims about its speed, and what was measured. A speed counts as a ratio to a peer that was
measured in the same run, in turn with it, or is held against a limit; the ratio is the median of those of the
rounds. How each claim is measured is told at the head of its file in
[benchmarks](../../benchmarks/README.md).
`make bench` measures all of it, `make bench ARGS=NAME` one part; the rest of this page then stays as it is.
"""

Files = dict[str, str]
"""Texts by their paths, relative to the project's folder."""


def write(root: Path = ROOT) -> None:
    """Write the page and its pictures; pictures that are not shown any more go."""
    files = page([find(name) for name in NAMES], [known(name) for name in NAMES], known_profiles())
    for path in PICTURES.glob(f"{_PREFIX}*.svg"):
        if str(path.relative_to(ROOT)) not in files:
            (root / path.relative_to(ROOT)).unlink()
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")


def page(
    benchmarks: Sequence[Benchmark], results: Sequence[Result | None], profiles: Sequence[Profile]
) -> Files:
    """The page and its pictures, from the result of each benchmark, or None where there is none."""
    measured = [(each, result) for each, result in zip(benchmarks, results, strict=True) if result]
    pictures = {_name(chart.name): draw(chart) for _, result in measured for chart in result.charts}
    parts = [_INTRODUCTION, _machines([result.machine for _, result in measured])]
    if shares := [*_shares(measured)]:
        title = "How much of its bar each claim uses"
        pictures[_name("bars")] = draw_bars(title, shares)
        parts.append(_shown(title, "bars"))
    parts += [_section(benchmark, result) for benchmark, result in measured]
    parts += [_absent(measured)]
    parts += [_costs(profiles)] if profiles else []
    text = "\n".join(part for part in parts if part)
    folder = PICTURES.relative_to(ROOT)
    return {
        str(PAGE.relative_to(ROOT)): text,
        **{str(folder / name): drawn for name, drawn in pictures.items()},
    }


def _name(chart: str) -> str:
    return f"{_PREFIX}{chart}.svg"


def _shown(title: str, chart: str) -> str:
    return f"![{title}](../pictures/{_name(chart)})\n"


def _machines(machines: Sequence[Machine]) -> str:
    told = dict.fromkeys(_machine(each) for each in machines)
    return "".join(f"Measured on {each}.\n" for each in told)


def _machine(machine: Machine) -> str:
    return (
        f"{machine.cores} cores ({machine.processor}), {machine.memory_gib:.0f} GiB of memory; PostgreSQL "
        f"{machine.postgresql}, SQLite {machine.sqlite}, Python {machine.python}"
    )


def _section(benchmark: Benchmark, result: Result) -> str:
    head = "| claim | ours | against | peer | ratio | bar | |\n|---|---:|---|---:|---:|---:|---|"
    told = lines(benchmark, result.figures)
    rows = "\n".join(_row(line) for line in told)
    notes = "".join(f"- {line.what}: {line.note}.\n" for line in told if line.note)
    reasons = "".join(_reason(claim) for claim in missed(benchmark, result.figures))
    return (
        f"## {benchmark.name.replace('_', ' ').capitalize()}\n\n`make bench ARGS={benchmark.name}`, "
        f"{result.taken:%-d %B %Y}.\n\n{head}\n{rows}\n"
        + (f"\n{notes}" if notes else "")
        + (f"\nMissed:\n\n{reasons}" if reasons else "")
        + "".join(f"\n{_shown(chart.title, chart.name)}" for chart in result.charts)
    )


def _row(line: Line) -> str:
    cells = (line.what, line.ours, line.against, line.peer, line.ratio, line.bar, line.verdict)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _reason(claim: Claim) -> str:
    why = claim.missed or "the reason is not known yet"
    return f"- {claim.bar.what}{f': {claim.case}' if claim.case else ''}: {why}\n"


def _absent(measured: Sequence[tuple[Benchmark, Result]]) -> str:
    """Bars without a figure, so that nobody takes silence for success."""
    found = {figure.bar for _, result in measured for figure in result.figures}
    absent = [bar for bar in BARS if bar.name not in found]
    if not absent:
        return ""
    rows = "\n".join(f"| {bar.what} | {bar.against} | {limit(bar)} | {_why(bar)} |" for bar in absent)
    return f"## Without a figure\n\n| claim | peer | bar | why |\n|---|---|---:|---|\n{rows}\n"


def _why(bar: Bar) -> str:
    return f"not built yet: {bar.not_built}" if bar.not_built else "not measured yet"


def _shares(measured: Iterable[tuple[Benchmark, Result]]) -> Iterator[tuple[str, float]]:
    for benchmark, result in measured:
        for claim in benchmark.claims:
            for figure in result.figures:
                if (figure.bar, figure.case) == (claim.bar.name, claim.case):
                    yield (
                        f"{claim.bar.name}: {claim.case}" if claim.case else claim.bar.name,
                        _share(claim, figure),
                    )


def _share(claim: Claim, figure: Figure) -> float:
    value, bar = figure.value, claim.bar
    return value / bar.limit if bar.at_most is not None else bar.limit / value


def _costs(profiles: Sequence[Profile]) -> str:
    head = (
        "## Where time goes\n\nOwn time of Python's functions, that of what they call in C included, by the "
        "processor's clock and under a profiler, which makes small functions look dearer than they are.\n"
    )
    return "\n".join([head, *(_profile(each) for each in profiles)])


def _profile(profile: Profile) -> str:
    rows = "\n".join(f"| `{each.where}` | {each.share:.1%} | {each.calls:,} |" for each in profile.costs)
    rooms = ", ".join(f"{room} {share:.0%}" for room, share in profile.rooms.items())
    return (
        f"### {profile.name.capitalize()}\n\n`python -m benchmarks profile {profile.name}`, "
        f"{profile.taken:%-d %B %Y}. {profile.what} {profile.seconds:.1f} s of a processor: {rooms}.\n\n"
        f"| where | share | calls |\n|---|---:|---:|\n{rows}\n"
    )


if __name__ == "__main__":
    write()
