"""Which accounts are listed, and what people may send about accounts at all."""

import datetime as dt

import msgspec
import pytest

from manystore.errors import InvalidSpecificationError
from mystira.domain.accounts.model import AccountSearch, NewAccount, Role
from mystira.domain.accounts.use_cases import create_account, list_accounts, read_account, set_role
from tests.unit.household import Household, open_household


async def _sign_up(home: Household, email: str) -> str:
    stored = await create_account(home.accounts, NewAccount(email=email), clock=home.clock)
    return stored.key


async def test_accounts_are_found_by_email_role_and_time() -> None:
    """Every condition that is given holds of what is listed, in the order asked for."""
    home = await open_household()
    keys = []
    for name in ("c", "a", "b"):
        keys.append(await _sign_up(home, f"{name}@example.org"))
        home.clock.advance(3600)
    await set_role(home.accounts, keys[2], Role.ADMIN, clock=home.clock)

    async def emails(search: AccountSearch) -> list[str]:
        return [each.value.email[0] for each in (await list_accounts(home.accounts, search)).items]

    first = (await read_account(home.accounts, keys[0])).value.created_at
    later = first + dt.timedelta(seconds=1)
    assert await emails(AccountSearch()) == ["c", "a", "b"]
    assert await emails(AccountSearch(order="-createdAt")) == ["b", "a", "c"]
    assert await emails(AccountSearch(order="email")) == ["a", "b", "c"]
    assert await emails(AccountSearch(email="A@EXAMPLE.org")) == ["a"]
    assert await emails(AccountSearch(role=Role.ADMIN)) == ["b"]
    assert await emails(AccountSearch(created_since=first)) == ["c", "a", "b"]
    assert await emails(AccountSearch(created_since=later, role=Role.GUEST)) == ["a"]
    assert await emails(AccountSearch(created_before=later)) == ["c"]


async def test_a_list_goes_on_where_the_page_ended() -> None:
    """Pages do not overlap and leave nothing out; a continuation belongs to its order."""
    home = await open_household()
    for number in range(5):
        await _sign_up(home, f"a{number}@example.org")
    search, seen = AccountSearch(order="email", limit=2), []
    while True:
        page = await list_accounts(home.accounts, search)
        seen += [each.value.email[1] for each in page.items]
        if page.continuation is None:
            break
        continuation = page.continuation
        search = msgspec.structs.replace(search, continuation=continuation)
    assert seen == ["0", "1", "2", "3", "4"]
    with pytest.raises(InvalidSpecificationError):
        await list_accounts(home.accounts, AccountSearch(order="-email", continuation=continuation))


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "email"),
        ({"email": "ada"}, r"\$\.email"),
        ({"email": "a@b.org\n"}, r"\$\.email"),
        ({"email": "jürgen@example.org"}, r"\$\.email"),
        ({"email": "a b@example.org"}, r"\$\.email"),
        ({"email": "a@" + "b" * 300 + ".org"}, r"\$\.email"),
        ({"email": None}, r"\$\.email"),
        ({"email": "a@b.org", "nickname": "x"}, "nickname"),
        ({"email": "a@b.org", "displayName": "x" * 256}, r"\$\.displayName"),
        ({"email": "a@b.org", "displayName": "a\x00b"}, r"\$\.displayName"),
        ({"email": "a@b.org", "externalUserId": ""}, r"\$\.externalUserId"),
        ({"email": "a@b.org", "settings": {"preferredLanguage": "english!"}}, r"preferredLanguage"),
        ({"email": "a@b.org", "settings": {"theme": 5}}, r"\$\.settings\.theme"),
        ({"email": "a@b.org", "settings": {"colour": "red"}}, "colour"),
    ],
)
def test_bad_input_is_refused_with_its_path(body: dict[str, object], path: str) -> None:
    """What people send is held to its bounds, and the refusal names the property."""
    with pytest.raises(msgspec.ValidationError, match=path):
        msgspec.convert(body, NewAccount)


@pytest.mark.parametrize("search", [{"limit": 0}, {"limit": 201}, {"order": "name"}, {"role": "Owner"}])
def test_a_senseless_search_is_refused(search: dict[str, object]) -> None:
    """Orders, roles and limits outside the known ones do not reach the store."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(search, AccountSearch)
