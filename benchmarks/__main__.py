"""`python -m benchmarks [NAME …] [--quick] [--sizes N …]`: measure, tell, write the page.

`python -m benchmarks profile WORK …`: see where the processor's time goes in a work. Ends with 1 where a bar
is missed or a benchmark failed.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks import page
from benchmarks.measuring import Benchmark, Effort
from benchmarks.profiling import Profile, Profiler
from benchmarks.results import Result
from benchmarks.running import NAMES, MeasuringError, find, measure, measure_apart, works
from benchmarks.telling import lines, missed


def main() -> int:
    """0 where every benchmark went through and every claim is held; the latter only where it is judged."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"all, where none is named: {', '.join(NAMES)}"
    )
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that it works")
    parser.add_argument("--sizes", nargs="+", type=int, default=[], help="how many records, for `scale`")
    asked = parser.parse_args()
    if asked.names[:1] == ["profile"]:
        return _profile(parser, asked.names[1:], is_quick=asked.quick)
    names = asked.names or list(NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if len(names) == 1:
        results = [measure(find(names[0]), is_quick=asked.quick, sizes=asked.sizes)]
        _tell(find(names[0]), results[0])
    else:
        words = ["--quick"] if asked.quick else []
        words += ["--sizes", *map(str, asked.sizes)] if asked.sizes else []
        results = asyncio.run(_measure_all(names, words))
    if asked.quick:
        return int(len(results) < len(names))
    page.write()
    is_missed = any(missed(find(result.benchmark), result.figures) for result in results)
    return int(is_missed or len(results) < len(names))


async def _measure_all(names: Sequence[str], words: Sequence[str]) -> list[Result]:
    """One after the other; one that fails is told of, and takes nothing from the others."""
    results = []
    for name in names:
        print(f"… {name}", flush=True)
        try:
            results.append(await measure_apart(name, words))
        except MeasuringError as error:
            print(error, file=sys.stderr, flush=True)
        else:
            _tell(find(name), results[-1])
    return results


def _tell(benchmark: Benchmark, result: Result) -> None:
    for line in lines(benchmark, result.figures):
        peer = "" if line.peer == "–" else f", against {line.peer}: {line.against}"
        print(f"{line.what}\n    {line.ours}{peer}")
        print(f"    {line.ratio if peer else f'{line.ratio} of the limit'} (bar {line.bar}), {line.verdict}")
        if line.note:
            print(f"    {line.note}")
    sys.stdout.flush()


def _profile(parser: argparse.ArgumentParser, names: Sequence[str], *, is_quick: bool) -> int:
    known = works()
    if not names or (set(names) - known.keys()):
        parser.error(f"which work? There are {', '.join(known)}")
    for name in names:
        profiler = Profiler()
        with tempfile.TemporaryDirectory(prefix="mystira-bench-", ignore_cleanup_errors=True) as folder:
            effort = Effort(folder=Path(folder), is_quick=is_quick, profiled=profiler.watching)
            uvloop.run(known[name](effort))
        profile = profiler.profile(name, (known[name].__doc__ or name).strip().splitlines()[0])
        _tell_profile(profile)
        if not is_quick:
            profile.keep()
            page.write()
    return 0


def _tell_profile(profile: Profile) -> None:
    print(f"{profile.name}: {profile.what} {profile.seconds:.1f} s of a processor")
    print("    " + ", ".join(f"{room} {share:.0%}" for room, share in profile.rooms.items()))
    for cost in profile.costs:
        print(f"    {cost.share:6.1%} {cost.calls:>9,}  {cost.where}")


if __name__ == "__main__":
    sys.exit(main())
