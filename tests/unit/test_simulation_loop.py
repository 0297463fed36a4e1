"""The loop in virtual time and the fence around it: the same steps in one order, nothing from outside."""

# ruff: noqa: PLW0108 - what the fence holds is looked up when it is called

import ast
import asyncio
import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from manystore.testing.simulation import Simulation, Streams, Violation, run

ROOT = Path(__file__).parent.parent.parent
ENGINE = ROOT / "src" / "manystore"

TOLD = """
from manystore.testing.simulation import Fault, FaultKind, Move, run
found = run(7, Move(), (Fault(40, FaultKind.CRASH_AFTER), Fault(90, FaultKind.LATE)), traced=True)
print(found.digest, len(found.trace), found.violation)
"""
"""A program that tells of one run."""


def test_waiting_takes_no_time_and_comes_in_order() -> None:
    """An hour passes at once, and who is due first goes first."""
    order: list[tuple[str, float]] = []

    async def scenario(simulation: Simulation) -> None:
        async def late(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            order.append((name, simulation.loop.time()))

        async with asyncio.TaskGroup() as group:
            group.create_task(late("second", 3600.0))
            group.create_task(late("first", 0.5))

    assert run(1, scenario).holds
    assert order == [("first", 0.5), ("second", 3600.0)]


def test_who_waits_for_ever_is_named() -> None:
    """Where nothing is ready and nothing is due, the run ends and says who waits."""

    async def scenario(simulation: Simulation) -> None:
        async def wait() -> None:
            await asyncio.Event().wait()

        await asyncio.create_task(wait(), name="the forgotten one")

    found = run(1, scenario)
    assert found.violation.startswith("DeadlockError: Nobody has anything left to do.")
    assert "the forgotten one" in found.violation


def test_who_spins_without_waiting_is_named() -> None:
    """A task that goes on and on at one moment of time is an end of the run as well."""

    async def scenario(simulation: Simulation) -> None:
        while True:
            await asyncio.sleep(0)

    found = run(1, scenario)
    assert found.violation.startswith("StalledError: Time stands still at 0.000000 s.")


def test_sets_of_tasks_are_gone_through_in_the_order_in_which_they_were_made() -> None:
    """Tasks and futures are hashed by number, so a set of a few is in the order of numbers."""

    async def scenario(simulation: Simulation) -> None:
        async def nothing() -> None:
            await asyncio.sleep(1)

        tasks = [asyncio.create_task(nothing(), name=f"n{number}") for number in range(5)]
        names = [task.get_name() for task in {*tasks[3:], *tasks[:3]}]
        if names != [f"n{number}" for number in range(5)]:
            raise Violation(f"they came as {names}")
        await asyncio.gather(*tasks)

    assert run(1, scenario).violation == ""


async def _in_a_thread() -> None:
    await asyncio.to_thread(print)


DEEDS: dict[str, Callable[[], object]] = {
    "starts a thread by Thread.start": lambda: threading.Thread(target=print).start(),
    "opens a socket by socket.__init__": socket.socket,
    "starts a process by Popen.__init__": lambda: subprocess.Popen(["true"]),
    "reads the machine's clock by time.time": lambda: time.time(),
    "reads the machine's clock by time.monotonic": lambda: time.monotonic(),
    "reads the machine's clock by time.perf_counter": lambda: time.perf_counter(),
    "holds up the loop by time.sleep": lambda: time.sleep(0),
    "draws without a seed by random.random": lambda: random.random(),
    "draws without a seed by secrets.token_hex": lambda: secrets.token_hex(),
    "draws without a seed by os.urandom": lambda: os.urandom(4),
    "draws without a seed by uuid.uuid4": lambda: uuid.uuid4(),
    "makes a random.Random without a seed": lambda: random.Random(),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_whoever_reaches_for_the_world_outside_is_named(deed: str) -> None:
    """Threads, sockets, processes, clocks and unseeded randomness end the run, with the caller's name."""

    async def culprit(simulation: Simulation) -> None:
        DEEDS[deed]()

    found = run(1, culprit)
    assert found.violation.startswith("FenceError: ")
    assert deed in found.violation
    assert "test_simulation_loop.py" in found.violation


def test_work_is_not_handed_to_threads() -> None:
    """`asyncio.to_thread` ends at the fence too."""

    async def culprit(simulation: Simulation) -> None:
        await _in_a_thread()

    assert "to a thread" in run(1, culprit).violation


def test_the_fence_is_gone_after_a_run_whatever_became_of_it() -> None:
    """What the fence holds is what it was before, also where a run broke off."""
    before = (time.time, os.urandom, random.random, threading.Thread.start, random.Random.seed)

    async def culprit(simulation: Simulation) -> None:
        time.time()

    run(1, culprit)
    assert (time.time, os.urandom, random.random, threading.Thread.start, random.Random.seed) == before
    assert time.time() > 0


def test_the_engine_does_what_the_fence_cannot_see_in_known_places_alone() -> None:
    """`datetime.now` and names from `random` bypass the fence: no module on a simulated path has them."""
    found = set()
    for path in ENGINE.rglob("*.py"):
        room = path.relative_to(ENGINE).parts
        if room[0] in ("stores", "testing") or path.name == "dbos_binding.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in (
                "random",
                "time",
                "secrets",
                "uuid",
                "os",
            ):
                found.add(f"{'/'.join(room)} imports from {node.module}")
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("now", "utcnow")
                and _is_datetime(node.value)
            ):
                found.add(f"{'/'.join(room)} asks datetime.{node.attr}")
    assert found == {"clock.py asks datetime.now"}


def _is_datetime(value: ast.expr) -> bool:
    return ast.unparse(value) in ("dt.datetime", "datetime", "datetime.datetime")


def test_streams_do_not_shift_each_other() -> None:
    """One more draw for one purpose leaves every other purpose's numbers as they are."""
    one, other = Streams(3), Streams(3)
    one.stream("latency").random()
    assert one.stream("faults").random() == other.stream("faults").random()
    assert one.stream("latency").random() != other.stream("latency").random()
    assert Streams(4).stream("faults").random() != Streams(3).stream("faults").random()


def _told(hash_seed: int) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    said = subprocess.run(
        [sys.executable, "-c", TOLD], env=environment, capture_output=True, text=True, check=True, cwd=ROOT
    )
    return said.stdout


def test_a_seed_comes_to_the_same_trace_in_every_interpreter() -> None:
    """Fresh interpreters that hash texts differently tell the same story, to the last line."""
    stories = {_told(hash_seed) for hash_seed in (0, 1, 2, 4_000_000)}
    assert len(stories) == 1, stories
    [story] = stories
    assert int(story.split()[1]) > 300
