"""All trials, and how one part of one is tried.

Here and not beside the command: a new process imports what it is to do by name, and would not import
`__main__`.
"""

import time

from proofs import kills, model, requests, simulation, verifier
from proofs.trials import Finding, Outcome

TRIALS = (model.TRIAL, simulation.TRIAL, requests.TRIAL, verifier.TRIAL, kills.TRIAL)


def attempt(trial: str, part: str) -> Finding:
    """Try one part, in a process of its own, so that what it needs is given back."""
    run = next(each for each in TRIALS if each.name == trial).parts[part]
    began = time.perf_counter()
    try:
        outcome = run()
    except Exception as error:  # noqa: BLE001 - whatever stops a part is what is to be reported of it
        outcome = Outcome(holds=False, story=f"{type(error).__name__}: {error}")
    return Finding(part=part, seconds=round(time.perf_counter() - began, 2), outcome=outcome)
