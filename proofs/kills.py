"""Claim: whoever is killed at whatever step of a move, nothing acknowledged is lost, and all goes on."""

import asyncio
import contextlib
import functools
import math
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any, Final

from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient
from tests.acceptance.planting import Saboteur
from tests.cosmos_server.fixtures import LOCAL
from tests.cosmos_server.process import KEY, cosmos_server

from manystore.records import Content, Kind
from mystira.cli.showing import Quiet
from mystira.demonstration.recovery import share_of
from mystira.demonstration.report import Report
from mystira.demonstration.scene import StepFailedError, Wishes
from mystira.demonstration.script import demonstrate
from mystira.demonstration.seeding import EMBEDDED, Documents
from mystira.settings import Settings
from proofs.results import FOLDER
from proofs.trials import Figures, Finding, Outcome, Trial, total

_LOADS: Final = {"SQLite": (1000, 60.0), "the Cosmos server": (300, 15.0)}
"""Former accounts, and requests a second: what each leaves room beside for everybody to start again."""
_WHOLE_SECONDS: Final = 600.0
"""After so long a run is given up, whatever it is at."""
_AT_ONCE: Final = 20
_RUNS: Final = {"SQLite": range(1, 9), "the Cosmos server": range(9, 13)}
"""Seeds. Each run kills somebody at every step of either kind: at least 16, and most often 20."""
_LIMITS: Final = {
    "kills": (200, math.inf),
    "recovery p99, ms": (0, 5000),
    "lost": (0, 0),
    "divergent": (0, 0),
}

_WORDS: Final = {
    "worker": "workers",
    "api": "APIs",
    "postgres": "PostgreSQL",
    "redis": "Redis",
    "supervisor": "supervisors",
}


async def _adopt(settings: Settings, kind: Kind, contents: Iterable[Content]) -> None:
    """Create items as a former system did, which knew nothing of versions."""
    if settings.cosmos_url is None or settings.cosmos_key is None:
        raise ValueError("the platform is not on a Cosmos server")
    async with CosmosClient(settings.cosmos_url, settings.cosmos_key, **LOCAL) as client:
        database = await client.create_database_if_not_exists("mystira")
        path = PartitionKey(f"/{kind.partition_key}")
        container = await database.create_container_if_not_exists(kind.container, path)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def create(content: Content) -> None:
            async with turns:
                await container.create_item(content)

        async with asyncio.TaskGroup() as group:
            for content in contents:
                group.create_task(create(content))


def _fit(value: Any) -> Any:
    """Numbers as a server in JavaScript has them, which are doubles: none is past 2^53, and 1.0 is 1."""
    match value:
        case dict():
            return {name: _fit(each) for name, each in value.items()}
        case list():
            return [_fit(each) for each in value]
        case bool():
            return value
        case int():
            return value % 2**53
        case float() if value.is_integer():
            return int(value) % 2**53
        case _:
            return value


@contextlib.contextmanager
def _documents(store: str) -> Iterator[Documents]:
    """The document store, which is there for the length of the block."""
    if store == "SQLite":
        yield EMBEDDED
        return
    with cosmos_server() as server:
        yield Documents(settings={"cosmos_url": server.url, "cosmos_key": KEY}, adopt=_adopt, fit=_fit)


def _wishes(folder: Path, store: str, seed: int, documents: Documents) -> Wishes:
    accounts, rate = _LOADS[store]
    return Wishes(
        folder=folder,
        accounts=accounts,
        profiles_share=0.3,
        twins=0,
        orphans=0,
        rate=rate,
        processes=2,
        workers=2,
        seed=seed,
        victims="anybody",
        whole=True,
        documents=documents,
    )


def _killed(store: str, seed: int) -> Outcome:
    folder = FOLDER / "kills" / f"run-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.ExitStack() as stack:
        try:
            documents = stack.enter_context(_documents(store))
            report = asyncio.run(_play(_wishes(folder, store, seed, documents), Quiet()))
        except StepFailedError as error:
            return _unfinished(folder, str(error), *error.conditions)
        except CalledProcessError as error:
            return _unfinished(folder, f"The Cosmos server cannot be installed: see `make install`. {error}")
        except TimeoutError:
            return _unfinished(folder, f"It took longer than {_WHOLE_SECONDS:.0f} s.")
    outcome = _judged(report)
    if outcome.holds:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def _unfinished(folder: Path, *reasons: str) -> Outcome:
    story = "\n".join((*reasons, f"Everything is kept in {folder}."))
    return Outcome(holds=False, figures={"unfinished runs": 1}, story=story)


async def _play(wishes: Wishes, watcher: Quiet) -> Report:
    async with asyncio.timeout(_WHOLE_SECONDS):
        return await demonstrate(wishes, watcher)


def _judged(report: Report) -> Outcome:
    """Whether all that must hold does. How long people waited is told, and judged over all runs."""
    witness = report.witness
    wrong = [
        f"{each.sort}: {each.kind}/{each.key} ({each.where}): {each.detail}" for each in witness.findings
    ]
    wrong += [f"{each.kind} came to no rest: {why}" for each in report.phases for why in each.under_way]
    wrong += [
        f"{each.victim} killed at {each.step} of {each.kind}: served {each.served}, went on {each.went_on}, "
        f"written {each.written} ms"
        for each in report.recoveries
        if each.whole is None
    ]
    if not witness.acknowledged:
        wrong.append("no write was acknowledged")
    return Outcome(
        holds=not wrong,
        figures=_figures(report),
        samples={"recovery, ms": [each.whole for each in report.recoveries if each.whole is not None]},
        story="\n".join(wrong) or _told(report),
    )


def _figures(report: Report) -> Figures:
    killed: dict[str, int] = {}
    for each in report.recoveries:
        for name in (f"{_WORDS[each.victim]} killed", f"kills at {each.step}"):
            killed[name] = killed.get(name, 0) + 1
    return {
        "kills": report.kills,
        "acknowledged": report.witness.acknowledged,
        "lost": report.witness.lost,
        "divergent": report.witness.divergent,
        "requests given up": sum(report.load.problems.values()),
        **killed,
        **_recovery([each.whole for each in report.recoveries if each.whole is not None]),
        "ended in": ", ".join(f"{each.kind} {each.phase}" for each in report.phases),
    }


def _recovery(milliseconds: list[float]) -> dict[str, float]:
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {f"recovery {name}, ms": round(share_of(milliseconds, share), 1) for name, share in shares.items()}


def _told(report: Report) -> str:
    return "\n".join(
        f"{each.step}, {each.kind}: {each.victim} killed; back after {each.served:,.0f} ms, the step went on "
        f"after {each.went_on:,.0f} ms, a write was acknowledged after {each.written:,.0f} ms"
        for each in report.recoveries
    )


def _planted() -> Outcome:
    """Remove one acknowledged record and alter another behind everybody's back: the witness has to say so."""
    folder = FOLDER / "kills" / "planted"
    shutil.rmtree(folder, ignore_errors=True)
    saboteur = Saboteur(folder)
    wishes = Wishes(folder=folder, accounts=200, twins=0, orphans=0, rate=30.0, processes=2, victims="nobody")
    report = asyncio.run(_play(wishes, saboteur))
    noticed = {(each.sort, each.key) for each in report.witness.findings if each.where == "truth"}
    planted = {("lost", saboteur.removed), ("differing", saboteur.altered)}
    shutil.rmtree(folder, ignore_errors=True)
    return Outcome(
        holds=noticed == planted and not report.is_success,
        figures={"planted": len(planted), "planted and noticed": len(noticed & planted)},
        story="\n".join(
            f"{each.sort}: {each.key} ({each.where}): {each.detail}" for each in report.witness.findings
        ),
    )


def _sums(findings: list[Finding]) -> Figures:
    """Figures added, and recovery over all kills of all runs."""
    recovered = [each for finding in findings for each in finding.outcome.samples.get("recovery, ms", ())]
    return {**total(findings), **_recovery(recovered)}


_PARTS: dict[str, Callable[[], Outcome]] = {
    f"{store}, run {seed}": functools.partial(_killed, store, seed)
    for store, seeds in _RUNS.items()
    for seed in seeds
}
_PARTS["losses that were planted"] = _planted

TRIAL = Trial(
    name="kills",
    claim=(__doc__ or "").removeprefix("Claim: "),
    parts=_PARTS,
    sums=_sums,
    limits=_LIMITS,
    alone=True,
)
