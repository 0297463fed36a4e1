"""How a demonstration begins: former records are put in place, and people settle what a plan found."""

import time
from random import Random
from typing import Final

from manystore.clock import SystemClock
from mystira.demonstration.scene import Scene, StepFailedError
from mystira.demonstration.seeding import Seeds, seed_documents
from mystira.simulation.families import ACCOUNTS, PROFILES, Family, Known, change, read_unknown
from mystira.simulation.requests import Requester

_FORMER: Final = 300
"""Former accounts that take part in the traffic."""


async def seed(scene: Scene) -> Seeds:
    """Fill the document store with what a former system left."""
    wishes = scene.wishes
    async with scene.step("seed former accounts and profiles") as result:
        with scene.ledger("seeds") as ledger:
            seeds = await seed_documents(
                scene.stage.settings,
                wishes.documents,
                ledger,
                seed=wishes.seed,
                accounts=wishes.accounts,
                profiles_share=wishes.profiles_share,
                twins=wishes.twins,
                orphans=wishes.orphans,
                others=min(_FORMER, wishes.accounts // 4),
                tell=lambda done: scene.watcher.goes(done, wishes.accounts),
            )
        result.phrase = (
            f"{seeds.accounts:,} accounts and {seeds.profiles:,} profiles, version 0, "
            f"{len(seeds.twins)} pairs with one e-mail address, {len(seeds.orphans)} profiles of no account"
        )
    return seeds


async def settle(scene: Scene, seeds: Seeds) -> None:
    """Settle what the plans found as a person would, through the App API.

    One of each pair is asked for another e-mail address; a profile of no account is let go.
    """
    title = "settle what was found, through the App API"
    async with scene.step(title) as result:
        with scene.ledger("settled") as ledger:
            requester = Requester(scene.service, ledger, SystemClock())
            for number, keys in enumerate(seeds.twins):
                for key in keys[1:]:
                    email = f"settled.{number}.{key[:8]}@families.example"
                    await _change(requester, title, ACCOUNTS, key, {"email": email})
            for key in seeds.orphans:
                await _change(requester, title, PROFILES, key, {"accountId": None})
        result.phrase = f"{len(seeds.twins)} e-mail addresses changed, {len(seeds.orphans)} profiles let go"


async def _change(requester: Requester, title: str, kind: str, key: str, given: dict[str, object]) -> None:
    family = Family(0, "settling", Random(0), former=key)  # noqa: S311
    await requester.carry_out(family, read_unknown(kind, key), time.monotonic())
    record = _known(family)
    if record is None:
        raise StepFailedError(title, f"{kind}/{key} could not be read")
    experience = await requester.carry_out(family, change("settle", record, given), time.monotonic())
    if experience.problem:
        raise StepFailedError(title, f"{kind}/{key} could not be changed ({experience.problem})")


def _known(family: Family) -> Known | None:
    return family.account or next(iter(family.profiles), None)
