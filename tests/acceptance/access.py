"""Records and requests from which the matrix of access is made.

A route whose path names a record needs an entry in `RECORDS` for that part of its path; one whose example
speaks of records needs an entry in `BODIES`, where they are made. What is missing fails the matrix.
"""

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
import msgspec.inspect

from mystira.domain.purchases.buying import reserve_bundle
from mystira.domain.purchases.checkout import checkout_of
from mystira.domain.purchases.saga import carry_on
from mystira.http.operations import Operation
from mystira.http.service import Service
from tests.acceptance.askers import CALLERS, World, signed
from tests.acceptance.table import STONES, shelve
from tests.unit.content.shelves import PNG

ABSENT: Final = "00000000-0000-7000-8000-00000000dead"
OWNED: Final = {
    "accountId": "accounts",
    "profileId": "user_profiles",
    "sessionId": "game_sessions",
    "purchaseId": "purchases",
    "consentId": "parental_consents",
    "deletionId": "deletion_requests",
}
"""Which parts of a path name a record that belongs to an account."""


# -- what is asked about -------------------------------------------------------------------------------


async def _account(world: World, account_id: str) -> str:
    return account_id


async def _profile(world: World, account_id: str) -> str:
    return await world.profile_of(account_id)


async def _session(world: World, account_id: str) -> str:
    return await world.session_of(account_id)


def _same(value: str) -> Callable[[World, str], Awaitable[str]]:
    async def make(world: World, account_id: str) -> str:
        return value

    return make


async def _story(world: World, account_id: str) -> str:
    return await shelve(world.api.platform, STONES)


async def _definition(world: World, account_id: str) -> str:
    return await world.made("/definitions/axes", name=f"Axis {uuid.uuid4().hex}")


async def _media(world: World, account_id: str) -> str:
    name = f"cover-{uuid.uuid4().hex}"
    return await world.made("/media", upload=PNG, media_type="image/png", mediaId=name)


async def _bundle(world: World, account_id: str) -> str:
    return await world.made("/bundles", title=f"Stories {uuid.uuid4().hex}")


async def _bundle_for_sale(world: World) -> str:
    prices = [{"value": "4.99", "currency": "EUR"}]
    # A story of its own, so that no other that is told here costs anything.
    story = await shelve(world.api.platform, STONES)
    return await world.made(
        "/bundles", title=f"Stories {uuid.uuid4().hex}", scenarioIds=[story], prices=prices
    )


async def _purchase(world: World, account_id: str) -> str:
    checkout = checkout_of(world.api.platform, world.api.outside.payments)
    reserved = await reserve_bundle(checkout, account_id, await _bundle_for_sale(world), "EUR")
    return (await carry_on(checkout, reserved.stored.key)).key


async def _asked(world: World, account_id: str, what: str) -> str:
    headers = {"Authorization": signed(world, "operator", "appApi")}
    path = f"/api/v1/profiles/{await world.profile_of(account_id)}/{what}"
    answer = await world.api.client.post(path, headers=headers, json={})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _consent(world: World, account_id: str) -> str:
    return await _asked(world, account_id, "consents")


async def _deletion(world: World, account_id: str) -> str:
    return await _asked(world, account_id, "deletion-requests")


async def _character(world: World, account_id: str) -> str:
    return await world.made("/character-maps", name=f"Mara {uuid.uuid4().hex}")


async def _avatars(world: World, account_id: str) -> str:
    return await world.made("/avatars", name="Animals", id=f"animals-{uuid.uuid4().hex}", ageGroup="6-9")


RECORDS: Final[Mapping[str, Callable[[World, str], Awaitable[str]]]] = {
    "accountId": _account,
    "profileId": _profile,
    "sessionId": _session,
    "purchaseId": _purchase,
    "consentId": _consent,
    "deletionId": _deletion,
    "scenarioId": _story,
    "kind": _same("accounts"),
    "key": _account,
    "sort": _same("axes"),
    "definitionId": _definition,
    "ageGroup": _same("6-9"),
    "mediaId": _media,
    "digest": _same(hashlib.sha256(PNG).hexdigest()),
    "bundleId": _bundle,
    "characterId": _character,
    "avatarsId": _avatars,
    "reaction": _same("play"),
    "version": _same("1"),
    "name": _same("accounts-000001-20261120T120000.000000Z.json"),
}
"""For each part of a path, how a record is made for an account; what belongs to nobody is there for all."""

ABSENTLY: Final[Mapping[str, str]] = {
    "scenarioId": "no-such-story",
    "sort": "unicorns",
    "ageGroup": "7-8",
    "digest": "0" * 64,
    "kind": "unicorns",
    "reaction": "none",
    "version": "2",
    "name": "none.json",
}
"""What names nothing, where that is no id of the usual form."""

NOT_MADE: Final = {
    "signOut": {"the operator"},
    "beginSecondFactor": {"the operator"},
    "confirmSecondFactor": {"the operator"},
    "showSecondFactor": {"the operator"},
    "getTask": set(CALLERS),
    "getCertificate": set(CALLERS),
    "getQueued": set(CALLERS),
    "replayQueued": set(CALLERS),
    "dropQueued": set(CALLERS),
    "settleRogueWrite": set(CALLERS),
    "sweepKind": set(CALLERS),
}
"""What there is nothing of in the world as it is made, by the name of the operation, and for whom."""


async def _new_profile(world: World, account_id: str | None) -> dict[str, Any]:
    return {"name": "Robin"} | ({} if account_id is None else {"accountId": account_id})


async def _new_account(world: World, account_id: str | None) -> dict[str, Any]:
    return {"email": f"{uuid.uuid4().hex}@example.org"}


async def _new_session(world: World, account_id: str | None) -> dict[str, Any]:
    owner = account_id or world.other.account_id
    profile_id = await world.profile_of(owner)
    players = [{"profileId": profile_id, "characterId": "heron"}]
    return {"scenarioId": world.story, "profileId": profile_id, "players": players, "accountId": owner}


async def _new_purchase(world: World, account_id: str | None) -> dict[str, Any]:
    owner = account_id or world.other.account_id
    return {"bundleId": await _bundle_for_sale(world), "currency": "EUR", "accountId": owner}


async def _publication(world: World, account_id: str | None) -> dict[str, Any]:
    # One that is published, so that it may be asked for again and again.
    return {"scenarioId": await shelve(world.api.platform, STONES), "version": 1}


BODIES: Final[Mapping[str, Callable[[World, str | None], Awaitable[dict[str, Any]]]]] = {
    "createAccount": _new_account,
    "createProfile": _new_profile,
    "startSession": _new_session,
    "buyBundle": _new_purchase,
    "publishForFamilies": _publication,
}
"""Bodies that speak of records, made for an account (None: of a caller who has none)."""


async def path_of(
    world: World, service: Service, operation: Operation[Any], *, account_id: str | None
) -> str:
    """The path of an operation, to records of the account, or (None) to such as are not there."""
    path = service.prefix + operation.path
    for name in operation.path_parameters:
        if account_id is None:
            value = ABSENTLY.get(name, ABSENT)
        else:
            assert name in RECORDS, (
                f"{operation.name}: no record is made for {{{name}}} (tests/acceptance/access.py)"
            )
            value = await RECORDS[name](world, account_id)
        path = path.replace(f"{{{name}}}", value)
    return path


async def request_of(world: World, operation: Operation[Any], account_id: str | None) -> dict[str, Any]:
    """What is sent along: a body that the operation takes, and a version that the record may have."""
    # Several, of which one is that of the record: so it is asked for before what was sent is looked at.
    headers = {"If-Match": '"0", "1", "2", "3"'} if operation.guarded else {}
    if operation.uploads is not None:
        headers["Content-Type"] = operation.uploads.media_types[0]
        return {"headers": headers, "content": b"{}"}
    body = await body_of(world, operation, account_id)
    if body is None:
        return {"headers": headers}
    headers["Content-Type"] = "application/json"
    return {"headers": headers, "content": msgspec.json.encode(body)}


async def body_of(world: World, operation: Operation[Any], account_id: str | None) -> Any:
    """A body that the operation takes; None where it takes none."""
    if not operation.has_body or operation.takes_nothing:
        return None
    if operation.name in BODIES:
        return await BODIES[operation.name](world, account_id)
    assert operation.example is not None, f"{operation.name} has no example"
    return dict(operation.example)


def claims_of(operation: Operation[Any]) -> dict[str, str]:
    """The properties and parameters that name an owned record, with the kind of each."""
    if operation.takes_nothing:
        return {}
    info = msgspec.inspect.type_info(operation.takes)
    assert isinstance(info, msgspec.inspect.StructType)
    return {
        field.encode_name: OWNED[field.encode_name] for field in info.fields if field.encode_name in OWNED
    }
