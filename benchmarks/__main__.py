"""`python -m benchmarks [NAME …] [--quick] [--sizes N …]`: 1 where a bar is missed."""

import argparse
import asyncio
import sys

from benchmarks.measuring import Benchmark
from benchmarks.results import Result
from benchmarks.running import NAMES, find, measure, measure_apart
from benchmarks.telling import lines, missed


def main() -> int:
    """0 where every claim that was measured is held, or was measured quickly only."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"all, where none is named: {', '.join(NAMES)}"
    )
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that it works")
    parser.add_argument("--sizes", nargs="+", type=int, default=[], help="how many records, for `scale`")
    asked = parser.parse_args()
    names = asked.names or list(NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if len(names) == 1:
        results = [measure(find(names[0]), is_quick=asked.quick, sizes=asked.sizes)]
        _tell(find(names[0]), results[0])
    else:
        words = [
            *(["--quick"] if asked.quick else []),
            *(["--sizes", *map(str, asked.sizes)] if asked.sizes else []),
        ]
        results = asyncio.run(_measure_all(names, words))
    held = not any(missed(find(result.benchmark), result.figures) for result in results)
    return int(not held and not asked.quick)


async def _measure_all(names: list[str], words: list[str]) -> list[Result]:
    results = []
    for name in names:
        print(f"… {name}", flush=True)
        results.append(await measure_apart(name, words))
        _tell(find(name), results[-1])
    return results


def _tell(benchmark: Benchmark, result: Result) -> None:
    for line in lines(benchmark, result.figures):
        print(
            f"{line.what}\n    {line.ours} against {line.peer}: {line.ratio} (bar {line.bar}), {line.verdict}"
        )
        if line.note:
            print(f"    {line.note}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
