"""`mystira people`: who is staff, and whose second factor is lost."""

from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from mystira.cli import exits
from mystira.cli.connection import admin_of
from mystira.cli.options import AsJson, DataFolder, Url
from mystira.cli.output import answer
from mystira.cli.refusals import CommandError
from mystira.clients.admin import AdminClient

app: Final = App(name="people", help_format="plaintext")

RoleName = Literal["Guest", "User", "Admin", "SuperAdmin"]


@app.command
async def role(
    account: Annotated[str, Parameter(help="The account's id, or its e-mail address.")],
    role: Annotated[
        RoleName, Parameter(help="Guest, User, Admin (staff) or SuperAdmin.", show_choices=False)
    ],
    *,
    reason: Annotated[str, Parameter(help="Why; it is kept with your name.")],
    data_folder: DataFolder = None,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Give an account a role. It counts from the next request of whoever is signed in to it."""
    async with admin_of(url, data_folder) as admin:
        account_id = await _account_of(admin, account)
        given = await admin.set_role(account_id, role, reason)
    was = "" if given["former"] == role else f", and was {given['former']}"
    answer(given, json, f"{account} is {role} now{was}.")
    return exits.OK


@app.command
async def reset_second_factor(
    account: Annotated[str, Parameter(help="The account's id, or its e-mail address.")],
    *,
    reason: Annotated[str, Parameter(help="Why; it is kept with your name.")],
    data_folder: DataFolder = None,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Take an account's second factor away, and with it every sign-in, for somebody who has lost theirs."""
    async with admin_of(url, data_folder) as admin:
        account_id = await _account_of(admin, account)
        await admin.reset_second_factor(account_id, reason)
    told = f"{account} has no second factor any more, and is signed out everywhere."
    answer({"accountId": account_id}, json, told)
    return exits.OK


async def _account_of(admin: AdminClient, account: str) -> str:
    account_id = await admin.account_of(account) if "@" in account else account
    if account_id is None:
        raise CommandError(f"No account has the address {account}.", code="not_found")
    return account_id
