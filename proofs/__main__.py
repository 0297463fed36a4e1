"""`python -m proofs [TRIAL …] [--fresh] [--json]`: try, report, and end with 1 where anything is broken."""

import argparse
import functools
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from proofs.attempts import TRIALS, attempt
from proofs.report import write_report
from proofs.results import Results
from proofs.trials import Finding, Trial


def _try(trial: Trial, results: Results, console: Console, processes: int) -> Iterator[Finding]:
    left = [part for part in trial.parts if part not in results.found(trial.name)]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    context = multiprocessing.get_context("spawn")
    with (
        Progress(*columns, console=console) as progress,
        ProcessPoolExecutor(
            1 if trial.alone else processes, mp_context=context, max_tasks_per_child=1
        ) as pool,
    ):
        done = len(trial.parts) - len(left)
        task = progress.add_task(trial.name, total=len(trial.parts), completed=done)
        tried = functools.partial(attempt, trial.name)
        for future in as_completed([pool.submit(tried, part) for part in left]):
            finding = future.result()
            results.keep(trial.name, finding)
            progress.advance(task)
            yield finding


def main() -> int:
    """0 where every part of every trial that was asked for holds."""
    parser = argparse.ArgumentParser(prog="python -m proofs", description=__doc__)
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help="all, where none is named")
    parser.add_argument("--fresh", action="store_true", help="forget what was found before")
    parser.add_argument("--json", action="store_true", help="print the findings for a machine")
    parser.add_argument("--processes", type=int, default=2, help="parts at a time")
    asked = parser.parse_args()
    known = {trial.name: trial for trial in TRIALS}
    if unknown := set(asked.trials) - known.keys():
        parser.error(f"no trial named {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen = [known[name] for name in asked.trials] or list(TRIALS)
    console = Console(stderr=True)
    results = Results.load(fresh=asked.fresh)
    for trial in chosen:
        for finding in _try(trial, results, console, asked.processes):
            if not finding.outcome.holds:
                console.print(f"broken: {trial.name}, {finding.part}\n{finding.outcome.story}")
    broken = [
        part
        for trial in chosen
        for part, finding in results.found(trial.name).items()
        if not finding.outcome.holds
    ]
    for trial in chosen:
        findings = list(results.found(trial.name).values())
        for sentence in trial.missed(findings):
            console.print(f"broken: {trial.name}, {sentence}")
            broken.append(sentence)
    path = write_report(TRIALS, results)
    if asked.json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    console.print(f"{len(broken)} broken. The report: {path}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
