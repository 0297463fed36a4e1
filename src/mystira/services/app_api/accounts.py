"""Accounts as players' apps see them."""

import functools
from typing import Any

import msgspec

from manystore.repository import Stored
from mystira.domain.accounts import use_cases
from mystira.domain.accounts.model import (
    Account,
    AccountChange,
    AccountSearch,
    NewAccount,
    SubscriptionChange,
)
from mystira.domain.forms import ContentId
from mystira.domain.profiles.use_cases import release_profiles
from mystira.domain.purchases.buyers import release_purchases
from mystira.domain.purchases.kind import PURCHASES
from mystira.domain.purchases.model import Purchase
from mystira.domain.second_factors.kind import SECOND_FACTORS
from mystira.domain.second_factors.model import SecondFactor
from mystira.domain.second_factors.use_cases import forget_second_factor
from mystira.domain.sessions.reading import sessions_release
from mystira.domain.signing_in.sign_ins import SignIns, end_sign_ins
from mystira.gateways.idempotency import IdempotencyKeys
from mystira.http.callers import OWN_ACCOUNT, SIGNED_IN, SUPER_STAFF
from mystira.http.etags import etag, expected_version
from mystira.http.idempotency import Creation, create_once
from mystira.http.operations import Answer, Call, Operation, show_nothing
from mystira.http.queries import Nothing
from mystira.platform import Platform
from mystira.services.app_api.answers import PREFIX, Page, show_page, show_record, show_unless_known, view


class AccountView(Account, frozen=True, kw_only=True, rename="camel"):
    """An account as it is shown; `etag` goes into If-Match as it stands."""

    etag: str


class CompletedScenario(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """A scenario that was played to an end."""

    scenario_id: ContentId


class AccountRoutes:
    """What each operation on accounts does."""

    def __init__(self, platform: Platform, keys: IdempotencyKeys, sign_ins: SignIns) -> None:
        self._factors = platform.repository(SecondFactor, SECOND_FACTORS)
        self._accounts, self._profiles, self._sign_ins = platform.accounts, platform.profiles, sign_ins
        self._clock, self._keys = platform.clock, keys
        self._purchases = platform.repository(Purchase, PURCHASES)
        self._end_play = sessions_release(platform.play.sessions, platform.play.scores, clock=platform.clock)

    async def create(self, call: Call[NewAccount]) -> Answer:
        """Sign somebody up."""

        async def make(account_id: str | None) -> Stored[Account]:
            return await use_cases.create_account(
                self._accounts, call.sent, clock=self._clock, account_id=account_id
            )

        creation = Creation(
            name="createAccount",
            make=make,
            read=functools.partial(use_cases.read_account, self._accounts),
            headers=lambda stored: {
                "Location": f"{PREFIX}/accounts/{stored.key}",
                "ETag": etag(stored.version),
            },
            view=functools.partial(view, AccountView),
        )
        return await create_once(self._keys, call, creation)

    async def read(self, call: Call[Nothing]) -> Answer:
        """One account."""
        return await show_unless_known(AccountView, call, lambda: self._read(call))

    async def _read(self, call: Call[Any]) -> Stored[Account]:
        return await use_cases.read_account(self._accounts, call.path["accountId"])

    async def search(self, call: Call[AccountSearch]) -> Answer:
        """A page of accounts."""
        return show_page(AccountView, await use_cases.list_accounts(self._accounts, call.sent))

    async def change(self, call: Call[AccountChange]) -> Answer:
        """Change an account."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        changed = await use_cases.change_account(
            self._accounts, call.path["accountId"], call.sent, clock=self._clock, expected=expected
        )
        return show_record(AccountView, changed)

    async def delete(self, call: Call[Nothing]) -> Answer:
        """Delete an account with its sessions, letting go of its profiles and ending its sign-ins."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        release = functools.partial(release_profiles, self._profiles, clock=self._clock)
        end = functools.partial(end_sign_ins, self._sign_ins)
        forget = functools.partial(forget_second_factor, self._factors)
        disown = functools.partial(release_purchases, self._purchases, clock=self._clock)
        await use_cases.delete_account(
            self._accounts,
            call.path["accountId"],
            releases=(release, end, forget, self._end_play, disown),
            expected=expected,
        )
        return show_nothing()

    async def complete_scenario(self, call: Call[CompletedScenario]) -> Answer:
        """Note a scenario as completed."""
        changed = await use_cases.complete_scenario(
            self._accounts, call.path["accountId"], call.sent.scenario_id, clock=self._clock
        )
        return show_record(AccountView, changed)

    async def change_subscription(self, call: Call[SubscriptionChange]) -> Answer:
        """Change what an account has paid for."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        changed = await use_cases.change_subscription(
            self._accounts, call.path["accountId"], call.sent, clock=self._clock, expected=expected
        )
        return show_record(AccountView, changed)


def account_operations(
    platform: Platform, keys: IdempotencyKeys, sign_ins: SignIns
) -> tuple[Operation[Any], ...]:
    """What can be asked about accounts."""
    routes = AccountRoutes(platform, keys, sign_ins)
    return (*_many(routes), *_one(routes), *_parts(routes))


def _many(routes: AccountRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="accounts", allows=SUPER_STAFF)
    return (
        operation(
            method="POST",
            path="/accounts",
            name="createAccount",
            summary="Sign somebody up",
            description="The account begins as a guest's, on a free subscription.",
            takes=NewAccount,
            handle=routes.create,
            answers={201: AccountView},
            refuses=("not_unique", "already_exists", "not_representable"),
            keyed=True,
            versioned=True,
            example={
                "email": "ada@example.org",
                "displayName": "Ada",
                "settings": {"preferredLanguage": "en"},
            },
        ),
        operation(
            method="GET",
            path="/accounts",
            name="listAccounts",
            summary="List accounts",
            description="All conditions given must hold. A minus before the order means largest first.",
            takes=AccountSearch,
            handle=routes.search,
            answers={200: Page[AccountView]},
            refuses=("invalid_continuation",),
        ),
    )


def _one(routes: AccountRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="accounts", allows=SIGNED_IN, owner=OWN_ACCOUNT)
    return (
        operation(
            method="GET",
            path="/accounts/{accountId}",
            name="getAccount",
            summary="Read an account",
            takes=Nothing,
            handle=routes.read,
            answers={200: AccountView},
            refuses=("not_found",),
            revalidates=True,
            versioned=True,
        ),
        operation(
            method="PATCH",
            path="/accounts/{accountId}",
            name="changeAccount",
            summary="Change an account",
            description="A merge patch (RFC 7396): what is left out stays.",
            takes=AccountChange,
            handle=routes.change,
            answers={200: AccountView},
            refuses=("not_found", "not_unique", "contended", "not_representable"),
            guarded=True,
            versioned=True,
            example={"displayName": "Ada L.", "settings": {"theme": "dark"}},
        ),
        operation(
            method="DELETE",
            path="/accounts/{accountId}",
            name="deleteAccount",
            summary="Delete an account",
            description=(
                "Its profiles and purchases stay and belong to no account from then on; its sessions go with "
                "it. "
                "Nobody is signed in to it any more."
            ),
            takes=Nothing,
            handle=routes.delete,
            answers={204: None},
            refuses=("not_found", "contended"),
            guarded=True,
        ),
    )


def _parts(routes: AccountRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="accounts", allows=SUPER_STAFF)
    return (
        operation(
            method="POST",
            path="/accounts/{accountId}/completed-scenarios",
            name="completeScenario",
            summary="Note a scenario as completed",
            description="Once, however often it is said.",
            takes=CompletedScenario,
            handle=routes.complete_scenario,
            answers={200: AccountView},
            refuses=("not_found", "contended", "not_representable"),
            versioned=True,
            example={"scenarioId": "the-lost-lantern"},
        ),
        operation(
            method="PATCH",
            path="/accounts/{accountId}/subscription",
            name="changeSubscription",
            summary="Change what an account has paid for",
            description="A merge patch (RFC 7396): what is left out stays, null takes a value away.",
            takes=SubscriptionChange,
            handle=routes.change_subscription,
            answers={200: AccountView},
            refuses=("not_found", "contended", "not_representable"),
            guarded=True,
            versioned=True,
            example={"type": "Monthly", "tier": "Family", "validUntil": "2027-01-31T00:00:00Z"},
        ),
    )
