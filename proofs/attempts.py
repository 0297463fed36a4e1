"""All trials, and how one part of one is tried.

Here and not beside the command: a new process imports what it is to do by name, and would not import
`__main__`.
"""

import multiprocessing
import os
import threading
import time
from multiprocessing import connection

from proofs import disasters, kills, model, requests, simulation, verifier
from proofs.fuzzing import trial as fuzzing
from proofs.trials import Finding, Outcome

TRIALS = (
    model.TRIAL,
    simulation.TRIAL,
    requests.TRIAL,
    fuzzing.TRIAL,
    verifier.TRIAL,
    kills.TRIAL,
    disasters.TRIAL,
)


def attempt(trial: str, part: str) -> Finding:
    """Try one part, in a process of its own, so that what it needs is given back."""
    _end_with_whoever_asked()
    run = next(each for each in TRIALS if each.name == trial).parts[part]
    began = time.perf_counter()
    try:
        outcome = run()
    except Exception as error:  # noqa: BLE001 - whatever stops a part is what is to be reported of it
        outcome = Outcome(holds=False, story=f"{type(error).__name__}: {error}")
    return Finding(part=part, seconds=round(time.perf_counter() - began, 2), outcome=outcome)


def _end_with_whoever_asked() -> None:
    """Have this process end when the one that started it does, however that one ends.

    A pool tells its processes to end when it is closed, which one that was killed does not do; and whatever a
    part has started ends with the part.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="watch over the parent", daemon=True).start()
