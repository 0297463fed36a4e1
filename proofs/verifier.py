"""Claim: the verifier raises no alarm where nothing is wrong, in whatever depth, while others write."""

import asyncio
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.faults.clean_runs import alarms_in, certified_scene

from proofs.trials import Outcome, Trial

_PARTS_OF: Final = 100
_RUNS: Final = 1000


def _verified(seeds: range) -> Outcome:
    alarms = asyncio.run(_verify(seeds))
    figures = {"clean runs": len(seeds), "false alarms": len(alarms)}
    return Outcome(holds=not alarms, figures=figures, story="\n".join(alarms))


async def _verify(seeds: range) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        async with certified_scene(Path(folder)) as scene:
            return await alarms_in(scene, seeds)


_PARTS: dict[str, Callable[[], Outcome]] = {
    f"runs {first + 1} to {first + _PARTS_OF}": functools.partial(_verified, range(first, first + _PARTS_OF))
    for first in range(0, _RUNS, _PARTS_OF)
}

TRIAL = Trial(name="verifier", claim=(__doc__ or "").removeprefix("Claim: "), parts=_PARTS)
