"""`mystira people`: who is staff."""

from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from mystira.cli import exits
from mystira.cli.connection import admin_of
from mystira.cli.options import AsJson, DataFolder, Url
from mystira.cli.output import answer
from mystira.cli.refusals import CommandError

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
        account_id = await admin.account_of(account) if "@" in account else account
        if account_id is None:
            raise CommandError(f"No account has the address {account}.", code="not_found")
        given = await admin.set_role(account_id, role, reason)
    was = "" if given["former"] == role else f", and was {given['former']}"
    answer(given, json, f"{account} is {role} now{was}.")
    return exits.OK
