"""The Admin API: moves of kinds between stores, changes that wait, rogue writes; and all content."""

from typing import Final

from mystira.clients.app_api import AppApiClient
from mystira.domain.forms import RecordId
from mystira.gateways.idempotency import IdempotencyKeys
from mystira.http.service import PathParameter, Service
from mystira.platform import Platform
from mystira.services.admin.certificates import certificate_operations
from mystira.services.admin.comparison import comparison_operations
from mystira.services.admin.content import PATH_PARAMETERS, TAGS, content_operations
from mystira.services.admin.moves import move_operations
from mystira.services.admin.queue import queue_operations
from mystira.services.admin.reactions import reaction_operations
from mystira.services.admin.rogue_writes import rogue_operations
from mystira.services.admin.roles import role_operations
from mystira.services.admin.sweeping import sweep_operations

_DESCRIPTION: Final = (
    "Moves kinds of records between their stores while they are written. A step is asked for, answered with "
    "a task, and carried out by a worker; ask for the task to see how it fares. Personal values are masked "
    "unless a reason to see them is given, which is written down with who gave it. Content comes in as "
    "files, is judged before it is kept, and goes out as files that come in again as the same."
)


def admin_api(platform: Platform, keys: IdempotencyKeys, app: AppApiClient) -> Service:
    """The service over a platform; `keys` let what is created be asked for again safely, and `app` is the App
    API, by which stories are published.
    """
    return Service(
        name="adminApi",
        prefix="/admin/api",
        title="Mystira Admin API",
        description=_DESCRIPTION,
        operations=(
            *move_operations(platform),
            *certificate_operations(platform),
            *queue_operations(platform),
            *reaction_operations(platform),
            *rogue_operations(platform),
            *comparison_operations(platform),
            *sweep_operations(platform),
            *role_operations(platform),
            *content_operations(platform, keys, app),
        ),
        path_parameters=PATH_PARAMETERS
        | {
            "accountId": PathParameter(
                meaning="The account's id.", form=RecordId, example="01941f29-7c00-7aaa-9aaa-aaaaaaaaaaaa"
            ),
            "kind": PathParameter(meaning="The kind's name.", form=str, example="accounts"),
            "key": PathParameter(
                meaning="The record's key.", form=str, example="01941f29-7c00-7aaa-9aaa-aaaaaaaaaaaa"
            ),
            "reaction": PathParameter(meaning="The reaction's name.", form=str, example="play"),
            "version": PathParameter(meaning="The version that a rogue write left.", form=int, example="7"),
            "name": PathParameter(
                meaning="The certificate's name.",
                form=str,
                example="accounts-000002-20261120T120000.000000Z.json",
            ),
        },
        tags=TAGS
        | {
            "moves": "Where each kind stands, and the steps of its move.",
            "certificates": "The proofs that two stores agreed.",
            "queue": "Changes that a copy could not take yet, or gave up.",
            "reactions": "What follows from changes: awards at the end of a session, for one.",
            "rogue writes": "Writes that were made behind the engine's back, kept until somebody decides.",
            "people": "Who is staff.",
            "records": "One record as both stores hold it; what split kinds leave behind.",
        },
    )
