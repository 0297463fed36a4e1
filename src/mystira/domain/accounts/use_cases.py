"""What can be done with an account. Each function receives the repository, the clock and the id maker."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from manystore.clock import Clock
from manystore.repository import Found, Repository, Stored
from manystore.specifications import EVERYTHING, Predicate, Specification, field
from mystira.domain.accounts.model import (
    Account,
    AccountChange,
    AccountSearch,
    NewAccount,
    Role,
    Settings,
    Subscription,
    SubscriptionChange,
)
from mystira.domain.forms import times_in_utc
from mystira.domain.ids import MakeId, make_id
from mystira.domain.records import (
    change_record,
    claim_record,
    create_record,
    delete_record,
    merge_patch,
    order_by,
    read_record,
)

Accounts = Repository[Account]

Release = Callable[[str], Awaitable[object]]
"""Lets go of what points to the account of that id; done again, it finds nothing left to do."""


async def create_account(
    accounts: Accounts,
    new: NewAccount,
    *,
    clock: Clock,
    account_id: str | None = None,
    maker: MakeId = make_id,
    role: Role = Role.GUEST,
) -> Stored[Account]:
    """Sign somebody up on a free subscription, under the id given or one from `maker`. Those who did not
    prove that the address is theirs are guests.

    Raises NotUniqueError (e-mail, external identity) and AlreadyExistsError.
    """
    now = clock.now()
    account = Account(
        id=maker() if account_id is None else account_id,
        created_at=now,
        updated_at=now,
        email=new.email,
        external_user_id=new.external_user_id,
        display_name=new.display_name,
        role=role,
        settings=merge_patch(Settings(), new.settings),
        subscription=Subscription(start_date=now),
        last_login_at=now,
    )
    return await create_record(accounts, account)


async def read_account(accounts: Accounts, account_id: str) -> Stored[Account]:
    """The account. Raises NotFoundError."""
    return await read_record(accounts, account_id)


async def change_account(
    accounts: Accounts,
    account_id: str,
    change: AccountChange,
    *,
    clock: Clock,
    expected: int | None = None,
) -> Stored[Account]:
    """Change what the owner may change, at the `expected` version where one is given.

    Raises NotFoundError, NotUniqueError, VersionMismatchError, ContendedError.
    """

    def alter(account: Account) -> Account:
        return merge_patch(account, change)

    return await change_record(accounts, account_id, alter, now=clock.now(), expected=expected)


async def set_role(
    accounts: Accounts, account_id: str, role: Role, *, clock: Clock, expected: int | None = None
) -> Stored[Account]:
    """Give an account a role; for those who may, never for the account's owner.

    Raises NotFoundError, VersionMismatchError, ContendedError.
    """

    def alter(account: Account) -> Account:
        return msgspec.structs.replace(account, role=role)

    return await change_record(accounts, account_id, alter, now=clock.now(), expected=expected)


async def change_subscription(
    accounts: Accounts,
    account_id: str,
    change: SubscriptionChange,
    *,
    clock: Clock,
    expected: int | None = None,
) -> Stored[Account]:
    """Change what an account has paid for.

    Raises InvalidValueError (a time that UTC cannot say), NotFoundError, VersionMismatchError,
    ContendedError.
    """
    in_utc = times_in_utc(change)

    def alter(account: Account) -> Account:
        subscription = merge_patch(account.subscription, in_utc)
        return msgspec.structs.replace(account, subscription=subscription)

    return await change_record(accounts, account_id, alter, now=clock.now(), expected=expected)


async def complete_scenario(
    accounts: Accounts, account_id: str, scenario_id: str, *, clock: Clock
) -> Stored[Account]:
    """Note that the account has played the scenario to an end; once, however often it is said.

    Raises NotFoundError, ContendedError.
    """

    def alter(account: Account) -> Account:
        if scenario_id in account.completed_scenario_ids:
            return account
        completed = [*account.completed_scenario_ids, scenario_id]
        return msgspec.structs.replace(account, completed_scenario_ids=completed)

    return await change_record(accounts, account_id, alter, now=clock.now())


async def delete_account(
    accounts: Accounts,
    account_id: str,
    *,
    releases: Sequence[Release] = (),
    expected: int | None = None,
) -> None:
    """Delete the account, after what points to it has let go (as the tables' foreign keys would have it).

    Repeatable: interrupted anywhere, doing it again brings it to its end. Raises NotFoundError,
    VersionMismatchError (nothing was touched), ContendedError.
    """
    if expected is None:
        await read_record(accounts, account_id)
    else:
        # From here on nobody can change what the caller saw, so that nothing is released in vain: the
        # deletion no longer depends on the version.
        await claim_record(accounts, account_id, expected=expected)
    for release in releases:
        await release(account_id)
    await delete_record(accounts, account_id)
    # Once more, for what began to point to the account between the release and the deletion.
    for release in releases:
        await release(account_id)


async def list_accounts(accounts: Accounts, search: AccountSearch) -> Found[Account]:
    """One page of the accounts that satisfy the search.

    Raises InvalidSpecificationError (manystore.errors) for a continuation of another search.
    """
    where: Predicate = EVERYTHING
    if search.email is not None:
        where &= field("email").equals_ignoring_case(search.email)
    if search.role is not None:
        where &= field("role") == search.role.value
    if search.created_since is not None:
        where &= field("createdAt") >= search.created_since.isoformat()
    if search.created_before is not None:
        where &= field("createdAt") < search.created_before.isoformat()
    return await accounts.find(
        Specification(
            where=where,
            order=(order_by(search.order),),
            limit=search.limit,
            continuation=search.continuation,
        )
    )
