"""`mystira token`: a token for a program that knows no key, such as curl in a terminal."""

import datetime as dt
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from mystira.cli import exits
from mystira.cli.options import AsJson, DataFolder
from mystira.cli.output import print_json
from mystira.clients.service_key import find_service_key
from mystira.clients.service_tokens import LIFETIME, OPERATOR, sign_token
from mystira.settings import load_settings

_AUDIENCES: Final = {"app": "appApi", "admin": "adminApi"}


def token(
    service: Annotated[
        Literal["app", "admin"], Parameter(help="Which API it is for: app or admin.", show_choices=False)
    ] = "app",
    *,
    data_folder: DataFolder = None,
    json: AsJson = False,
) -> int:
    """Print a token by which a program asks an API as whoever runs the platform, for a minute.

    As in: curl -H "Authorization: Bearer $(mystira token)" http://127.0.0.1:8080/api/v1/accounts
    """
    key, now = find_service_key(load_settings(data_folder=data_folder)), dt.datetime.now(dt.UTC)
    signed = sign_token(key, issuer=OPERATOR, audience=_AUDIENCES[service], now=now)
    if json:
        print_json({"token": signed, "expiresAt": now + LIFETIME})
    else:
        # Not by the console, which would break a line that is longer than the terminal.
        print(signed)
    return exits.OK
