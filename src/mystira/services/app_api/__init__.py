"""The App API: what players' apps ask. Accounts and profiles; signing in and owning come with the game."""

from typing import Final

from mystira.domain.forms import RecordId
from mystira.gateways.idempotency import IdempotencyKeys
from mystira.http.service import PathParameter, Service
from mystira.platform import Platform
from mystira.services.app_api.accounts import account_operations
from mystira.services.app_api.answers import PREFIX
from mystira.services.app_api.profiles import profile_operations

_DESCRIPTION: Final = (
    "Accounts and profiles. Every record has a version, which is its ETag: changes name the version that "
    "they were made to. Refusals are problem documents whose code never changes its meaning."
)


def app_api(platform: Platform, keys: IdempotencyKeys) -> Service:
    """The service over a platform."""
    return Service(
        name="appApi",
        prefix=PREFIX,
        title="Mystira App API",
        description=_DESCRIPTION,
        operations=(*account_operations(platform, keys), *profile_operations(platform, keys)),
        path_parameters={
            "accountId": PathParameter(
                meaning="The account's id.", form=RecordId, example="01941f29-7c00-7aaa-9aaa-aaaaaaaaaaaa"
            ),
            "profileId": PathParameter(
                meaning="The profile's id.", form=RecordId, example="01941f29-7c00-7bbb-9bbb-bbbbbbbbbbbb"
            ),
        },
        tags={
            "accounts": "Who signed up, with settings, a subscription and completed scenarios.",
            "profiles": "Who plays under an account, with the badges earned.",
        },
    )
