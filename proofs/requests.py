"""Claim: whatever a request says, no service answers with an error of its own or but as it documents."""

import asyncio
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.acceptance.fuzzing import PHASES, Fuzzed, fuzz, fuzzed_world
from tests.embedded import fast_servers
from tests.serving import services_of

from proofs.trials import Outcome, Trial

_SERVICES: Final = ("appApi", "adminApi")
_SEEDS: Final = range(1, 6)
_EXAMPLES: Final = 60
"""Of each operation in each part, besides those that cover what its document says."""


def _asked(name: str, seed: int) -> Outcome:
    fuzzed = asyncio.run(_ask(name, seed))
    figures = {
        "requests": fuzzed.requests,
        "carried out": fuzzed.count(2),
        "refused": fuzzed.count(4),
        "server errors": fuzzed.server_errors,
        "contract breaks": sum(map(len, fuzzed.failures.values())),
    }
    return Outcome(
        holds=fuzzed.is_clean and not fuzzed.server_errors,
        figures=figures,
        story="" if fuzzed.is_clean else fuzzed.told,
    )


async def _ask(name: str, seed: int) -> Fuzzed:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        async with fast_servers(place / "data") as settings, fuzzed_world(settings) as world:
            service = next(each for each in services_of(world.api.platform) if each.name == name)
            return await fuzz(world, service, place, examples=_EXAMPLES, phases=PHASES, seed=seed)


_PARTS: dict[str, Callable[[], Outcome]] = {
    f"{name}, seed {seed}": functools.partial(_asked, name, seed) for seed in _SEEDS for name in _SERVICES
}

TRIAL = Trial(name="requests", claim=(__doc__ or "").removeprefix("Claim: "), parts=_PARTS)
