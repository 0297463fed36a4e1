"""Claim: full disks, frozen processes, cut and slow lines and wrong clocks lose nothing, and moves go on."""

import asyncio
import functools
import logging
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import structlog
from tests.cosmos_server.process import cosmos_server
from tests.faults import clocks, freezing, full_disk, network
from tests.faults.freezing import Frozen
from tests.faults.frozen_child import VISITS, Role
from tests.faults.ordeal import Verdict
from tests.postgres_server import postgres_server

from manystore.moves.tasks import Action
from proofs.trials import Figures, Outcome, Trial

Ordeal = Callable[[Path, str], Coroutine[Any, Any, Verdict]]
"""Something that befalls a move, in a folder and beside the server at a URL."""

_SEEDS: Final = 3


def _figures(verdict: Verdict) -> Figures:
    return {
        "disasters": 1,
        "acknowledged writes": verdict.acknowledged,
        "writes of unknown outcome": verdict.unclear,
        "lost": len(verdict.lost),
        "divergent": len(verdict.divergent),
        "steps asked for": verdict.asked,
    }


def _run(ordeal: Ordeal) -> Outcome:
    verdict = _in_folder(ordeal)
    return Outcome(holds=verdict.holds, figures=_figures(verdict), story=network.told(verdict))


def _in_folder(ordeal: Callable[[Path, str], Coroutine[Any, Any, Any]]) -> Any:
    # Warnings are many here: each says what was done to the move.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder, postgres_server(log_min_messages="panic") as url:
        return asyncio.run(ordeal(Path(folder), url))


async def _late(folder: Path, url: str, *, at: Action, is_changed: bool, is_fenced: bool = True) -> Frozen:
    async with network.database(url) as tables:
        documents = str(folder / "documents.sqlite")
        return await freezing.late_write(
            folder, documents, tables, at=at, is_changed=is_changed, is_fenced=is_fenced
        )


def _late_write(at: Action, is_changed: bool) -> Outcome:
    found: Frozen = _in_folder(functools.partial(_late, at=at, is_changed=is_changed))
    said = ("refused VersionConflictError", 0) if is_changed else ("acknowledged", VISITS)
    holds = found.verdict.holds and (found.said, found.visits) == said
    return Outcome(holds=holds, figures=_figures(found.verdict), story=f"{found.said}: {found.verdict}")


def _late_write_in_cosmos() -> Outcome:
    async def late(folder: Path, server: str) -> Frozen:
        tables = str(folder / "tables.sqlite")
        return await freezing.late_write(folder, server, tables, at=Action.CUT_OVER, is_changed=False)

    with cosmos_server() as server, tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(late(Path(folder), f"{server.url}#late"))
    # The item is ahead of the truth until somebody settles the rogue write, which is kept.
    holds = found.rogue == [freezing.KEY] and found.verdict.divergent in ([], [freezing.KEY])
    figures: Figures = {**_figures(found.verdict), "divergent": 0, "rogue writes found": len(found.rogue)}
    return Outcome(holds=holds and not found.verdict.lost, figures=figures, story=str(found))


def _workers_cut_off() -> Outcome:
    task, differing = _in_folder(functools.partial(network.workers_cut_off, records=20_000, seconds=4.0))
    figures = {"disasters": 3, "divergent": len(differing)}
    return Outcome(holds=task.state == "done" and not differing, figures=figures, story=f"{task}")


def _without_fence() -> Outcome:
    found: Frozen = _in_folder(
        functools.partial(_late, at=Action.CUT_OVER, is_changed=False, is_fenced=False)
    )
    missed = found.said == "acknowledged" and freezing.KEY in found.verdict.divergent
    figures = {"safeguards removed": 1, "safeguards missed": int(missed)}
    return Outcome(holds=missed, figures=figures, story=str(found))


async def _frozen_coordinator(folder: Path, url: str, *, role: Role) -> Verdict:
    async with network.database(url) as tables:
        documents = str(folder / "documents.sqlite")
        return await freezing.frozen_coordinator(folder, documents, tables, role=role)


async def _frozen_in_copy(folder: Path, url: str) -> Verdict:
    async with network.database(url) as tables:
        return await freezing.frozen_in_copy(folder, str(folder / "documents.sqlite"), tables)


async def _full_documents(folder: Path, url: str) -> Verdict:
    return (await full_disk.full_documents(folder, url, records=1000, full_in=full_disk.ALL)).verdict


async def _full_tables(folder: Path, url: str) -> Verdict:
    return (await full_disk.full_tables(folder, records=1000, full_in=full_disk.ALL)).verdict


def _slow(delay: float, rate: float, lease: float, pause: float) -> Ordeal:
    return functools.partial(network.slow_line, records=200, delay=delay, rate=rate, lease=lease, pause=pause)


_ORDEALS: dict[str, Ordeal] = {
    "connections cut at chosen moments": functools.partial(network.cut_at_moments, records=5000),
    "a line of 50 ms": _slow(0.025, 1e6, 2.0, 0.3),
    "a line of 500 ms": _slow(0.25, 1e6, 8.0, 2.0),
    "a line of 20 kB a second": _slow(0.0, 20e3, 4.0, 1.0),
    "frozen before the decision": functools.partial(_frozen_coordinator, role="decide"),
    "frozen after the decision": functools.partial(_frozen_coordinator, role="install"),
    "frozen amid a COPY": _frozen_in_copy,
    "a full disk under the documents": _full_documents,
    "a full disk under the tables": _full_tables,
}
for _seed in range(1, _SEEDS + 1):
    _ORDEALS |= {
        f"connections cut at random, seed {_seed}": functools.partial(
            network.cut_at_random, records=5000, every=0.15, seed=_seed
        ),
        f"black holes, seed {_seed}": functools.partial(
            network.black_holes, records=1000, count=6, seconds=3.0, seed=_seed
        ),
        f"clocks that jump by an hour, seed {_seed}": functools.partial(
            clocks.jumping, records=3000, every=0.2, seed=_seed
        ),
    }

_PARTS: dict[str, Callable[[], Outcome]] = {
    name: functools.partial(_run, ordeal) for name, ordeal in _ORDEALS.items()
}
for _at in (Action.CUT_OVER, Action.CUT_BACK):
    for _is_changed in (True, False):
        _name = f"frozen amid a write, {_at.value}, {'changed' if _is_changed else 'unchanged'} meanwhile"
        _PARTS[_name] = functools.partial(_late_write, _at, _is_changed)
_PARTS["workflows whose line is cut, and silent"] = _workers_cut_off
_PARTS["frozen amid a write, in Cosmos DB"] = _late_write_in_cosmos
_PARTS["frozen amid a write, without the fence"] = _without_fence

TRIAL = Trial(
    name="disasters",
    claim=(__doc__ or "").removeprefix("Claim: "),
    parts=_PARTS,
    limits={"lost": (0, 0), "divergent": (0, 0)},
)
