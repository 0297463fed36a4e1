"""People who do not exist: the same for the same seed, readable, and as awkward as promised."""

import unicodedata
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest

from manystore.former import as_declared
from manystore.records import canonical
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.accounts.model import Account, NewAccount
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.domain.profiles.model import UserProfile
from mystira.simulation.people import (
    FORMER_SHARE,
    leave_behind,
    make_account,
    make_former_accounts,
    make_profile,
)

Documents = list[dict[str, Any]]


@pytest.fixture(scope="module")
def accounts() -> Documents:
    random = Random(11)
    return [make_account(random, index) for index in range(3000)]


@pytest.fixture(scope="module")
def profiles(accounts: Documents) -> Documents:
    random = Random(12)
    return [make_profile(random, account["id"]) for account in accounts]


def test_the_same_seed_makes_the_same_people() -> None:
    """Every byte follows from the seed, and another seed makes others."""

    def bytes_of(seed: int) -> list[bytes]:
        return [canonical(each) for each in make_former_accounts(Random(seed), 200, twins=3)]

    assert bytes_of(5) == bytes_of(5)
    assert bytes_of(5) != bytes_of(6)


def test_every_account_can_be_stored_and_read(accounts: Documents) -> None:
    """However awkward, a document is a record of its kind and fits the model."""
    for document in accounts:
        ACCOUNTS.check(document["id"], document)
        account = msgspec.convert(document, Account)
        msgspec.convert({"email": account.email}, NewAccount)
        assert len(account.completed_scenario_ids) <= 3
        assert "subscription" in document
    assert {len(document["completedScenarioIds"]) for document in accounts} == {0, 1, 2, 3}
    assert len({document["email"].lower() for document in accounts}) == len(accounts)


def test_every_profile_can_be_stored_and_read(profiles: Documents, accounts: Documents) -> None:
    """However awkward, a profile is a record of its kind, fits the model and points to its account."""
    for document, account in zip(profiles, accounts, strict=True):
        USER_PROFILES.check(document["id"], document)
        assert msgspec.convert(document, UserProfile).account_id == account["id"]
    assert make_profile(Random(1), None)["isGuest"] is True


def test_accounts_are_awkward_by_the_stated_shares(accounts: Documents) -> None:
    """Each way in which real data is awkward occurs, about as often as said."""

    def share(is_so: Callable[[dict[str, Any]], bool]) -> float:
        return sum(map(is_so, accounts)) / len(accounts)

    def name(account: dict[str, Any]) -> str:
        return str(account["displayName"])

    assert share(lambda a: len(a["createdAt"].split(".")[-1]) == 8) == pytest.approx(0.10, abs=0.03)
    assert share(lambda a: not a["createdAt"].endswith("Z")) == pytest.approx(0.05, abs=0.02)
    assert share(lambda a: a["email"] != a["email"].lower()) == pytest.approx(0.06, abs=0.02)
    assert share(lambda a: "legacyNumber" in a) == pytest.approx(0.05, abs=0.02)
    assert share(lambda a: "fontScale" in a["settings"]) == pytest.approx(0.04, abs=0.02)
    assert share(lambda a: "externalUserId" not in a) == pytest.approx(0.03, abs=0.02)
    assert share(lambda a: a.get("externalUserId", "") is None) == pytest.approx(0.06, abs=0.02)
    assert share(lambda a: name(a) == "") == pytest.approx(0.02, abs=0.015)
    assert share(lambda a: not unicodedata.is_normalized("NFC", name(a))) > 0.005
    assert share(lambda a: any(unicodedata.bidirectional(c) in ("R", "AL") for c in name(a))) > 0.02
    assert share(lambda a: any(ord(c) > 0xFFFF for c in name(a))) > 0.02


@pytest.mark.parametrize("twins", [0, 1, 25])
def test_former_accounts_hold_the_stated_number_of_twins(twins: int) -> None:
    """So many pairs share an address but for the case of its letters, and none share it exactly."""
    former = list(make_former_accounts(Random(7), 500, twins=twins))
    emails = [account["email"] for account in former]
    assert len(former) == 500
    assert len(set(emails)) == 500
    assert len({email.lower() for email in emails}) == 500 - twins
    assert len({account["id"] for account in former}) == 500
    assert all("updatedAt" not in account for account in former)


def test_a_share_is_spelled_as_the_former_system_spelled(accounts: Documents, profiles: Documents) -> None:
    """About three in a hundred are left behind in another spelling, and each is read as what it was."""
    random, left = Random(13), 0
    for kind, documents in ((ACCOUNTS, accounts), (USER_PROFILES, profiles)):
        for document in documents:
            found = leave_behind(random, document)
            assert canonical(as_declared(kind, 0, found)) == canonical(document)
            if found is not document:
                left += 1
                kind.check(document["id"], found)
                declared = {field.name for field in kind.fields} - {"id"}
                assert declared.isdisjoint(found)
    assert left / 6000 == pytest.approx(FORMER_SHARE, abs=0.01)


def test_former_names_reach_into_parts(accounts: Documents) -> None:
    """Names of parts and joined lists are those of the former system as well."""
    random = Random(14)
    found = next(each for each in (leave_behind(random, account) for account in accounts) if "Email" in each)
    assert isinstance(found["CompletedScenarioIds"], str)
    assert isinstance(found["Subscription"]["PurchasedScenarios"], str)
    assert "Theme" in found["Settings"]


def test_twins_that_do_not_fit_are_refused() -> None:
    """More pairs than half the accounts cannot be."""
    with pytest.raises(ValueError, match=r"[Ss]ample"):
        list(make_former_accounts(Random(7), 5, twins=3))
