"""Simulated families ask for what they mean, and their ledgers say what may be found afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from mystira.simulation.families import ACCOUNTS, PROFILES, Family, Intent, delete
from mystira.simulation.ledger import Ledger, read_ledger
from mystira.simulation.people import make_account, make_profile
from mystira.simulation.reading import read_back
from mystira.simulation.requests import Requester
from mystira.simulation.views import hidden, shown, spell_moment
from mystira.simulation.witness import Evidence, conclude
from tests.unit.app_api import DictionaryApi
from tests.unit.clocks import ManualClock


class Town:
    """Some families, their App API, and the witness's ledger."""

    def __init__(
        self, api: DictionaryApi, requester: Requester, ledger: Ledger, clock: ManualClock, random: Random
    ) -> None:
        self.api, self.ledger = api, ledger
        self._requester, self._clock, self._random = requester, clock, random
        self._families = [Family(number, "test", random) for number in range(8)]
        self._made = 8

    async def live(self, requests: int) -> None:
        for _ in range(requests):
            place = self._random.randrange(len(self._families))
            family = self._families[place]
            await self.ask(family, family.next_intent())
            if family.has_left:
                self._made += 1
                self._families[place] = Family(self._made, "test", self._random)

    def settle(self, former: str) -> Family:
        return Family(0, "test", self._random, former=former)

    async def ask(self, family: Family, intent: Intent) -> None:
        await self._requester.carry_out(family, intent, self._clock.monotonic())

    @property
    def evidence(self) -> Evidence:
        return Evidence(read_ledger(self.ledger.path))


@asynccontextmanager
async def town(tmp_path: Path, seed: int, *, faults: float = 0.0) -> AsyncIterator[Town]:
    random = Random(seed)
    api = DictionaryApi(random, faults=faults)
    clock = ManualClock()
    with Ledger(tmp_path / f"{seed}.jsonl") as ledger:
        yield Town(api, Requester(api, ledger, clock, patience=3.0), ledger, clock, random)


@pytest.mark.parametrize("seed", range(5))
async def test_a_sound_platform_is_found_sound(tmp_path: Path, seed: int) -> None:
    """Without faults every write is acknowledged, none is unclear, and nothing is found to be wrong."""
    async with town(tmp_path, seed) as here:
        await here.live(600)
        evidence = here.evidence
        tally = conclude(evidence, evidence.compare(here.api.found, "truth"))
    assert tally.findings == ()
    assert tally.acknowledged > 200
    assert tally.unclear == 0


@pytest.mark.parametrize("seed", range(20))
async def test_lost_answers_and_refusals_raise_no_alarm(tmp_path: Path, seed: int) -> None:
    """With three requests in ten going wrong, done or not, the witness knows what may be and is right."""
    async with town(tmp_path, seed, faults=0.3) as here:
        await here.live(600)
        evidence = here.evidence
        tally = conclude(evidence, evidence.compare(here.api.found, "truth"))
    assert tally.findings == ()
    assert tally.unclear > 50


async def test_a_write_that_is_undone_behind_everybodys_back_is_found_while_families_go_on(
    tmp_path: Path,
) -> None:
    """One record set back by a version, and then written over: found by the family's own reads."""
    async with town(tmp_path, 3) as here:
        await here.live(300)
        place = max(here.api.records, key=lambda each: here.api.records[each][0])
        version, held = here.api.records[place]
        here.api.records[place] = (version - 1, held | {"updatedAt": "2020-01-01T00:00:00Z"})
        await here.live(600)
        evidence = here.evidence
    assert place in {(finding.kind, finding.key) for finding in evidence.findings}
    assert conclude(evidence, []).lost == 1


async def test_a_deleted_account_that_comes_back_is_found(tmp_path: Path) -> None:
    """A resurrection, and nothing else."""
    async with town(tmp_path, 4) as here:
        await here.live(900)
        evidence = here.evidence
        gone = next(place for place, (o, *_) in evidence.outcomes.items() if o.document is None)
        found = {**here.api.found, gone: next(iter(here.api.found.values()))}
        findings = evidence.compare(found, "truth")
    assert [(finding.key, finding.sort) for finding in findings] == [(gone[1], "resurrected")]


async def test_reading_back_asks_for_every_record(tmp_path: Path) -> None:
    """The read-back finds what is there, and names the one record that was taken away."""
    async with town(tmp_path, 5) as here:
        await here.live(300)
        evidence = here.evidence
        places = list(evidence.outcomes)
        assert await read_back(here.api, evidence, places) == []
        taken = next(place for place in here.api.records if place[0] == ACCOUNTS)
        del here.api.records[taken]
        findings = await read_back(here.api, evidence, places)
    assert [(finding.key, finding.sort, finding.where) for finding in findings] == [
        (taken[1], "lost", "App API")
    ]


async def test_a_former_family_gets_to_know_its_profiles_before_it_does_anything(tmp_path: Path) -> None:
    """Records from before are taken as they are found; a deletion of the account lets go of each of them."""
    async with town(tmp_path, 6) as here:
        account = ACCOUNTS, "0b1f0d9a-0000-4000-8000-000000000001"
        child = PROFILES, "0b1f0d9a-0000-4000-8000-000000000002"
        here.api.records[account] = (0, shown(ACCOUNTS, {"id": account[1], "email": "old@example.org"}))
        here.api.records[child] = (4, shown(PROFILES, {"id": child[1], "accountId": account[1]}))
        family = here.settle(former=account[1])
        for _ in range(2):
            await here.ask(family, family.next_intent())
        assert [profile.key for profile in family.profiles] == [child[1]]
        assert family.account is not None
        await here.ask(family, delete(family.account))
        assert here.api.records[child][1]["accountId"] is None
        evidence = here.evidence
    assert conclude(evidence, evidence.compare(here.api.found, "truth")).findings == ()


def test_moments_are_cut_to_the_microsecond_in_utc_and_other_texts_left_alone() -> None:
    """Seven digits are cut and not rounded; an offset is taken off; what is no moment stays as it is."""
    assert spell_moment("2024-01-31T23:59:59.9999999Z") == "2024-01-31T23:59:59.999999Z"
    assert spell_moment("2024-01-31T23:59:59+02:00") == "2024-01-31T21:59:59.000000Z"
    for other in ("", "2024-01-31", "2024-13-31T00:00:00Z", "soon", 7, None):
        assert spell_moment(other) == other


def test_what_is_shown_and_what_is_hidden_make_up_the_whole_of_a_former_record() -> None:
    """Showing is stable, and every unknown name, at any depth, is among the hidden ones."""
    random = Random(11)
    held = 0
    for index in range(300):
        account = make_account(random, index)
        profile = make_profile(random, account["id"])
        for kind, document in (("accounts", account), ("user_profiles", profile)):
            once = shown(kind, document)
            assert shown(kind, once) == once
            assert hidden(kind, once) == {}
            held += len(hidden(kind, document))
            assert ("loyalty" in document) == ("loyalty" in hidden(kind, document))
    assert held > 30
