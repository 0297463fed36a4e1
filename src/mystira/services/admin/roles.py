"""Who is staff: the roles of accounts, given and taken by those who run the platform."""

from typing import Any

from msgspec import Struct

from manystore.followers.queue import audit
from mystira.domain.accounts.model import Role
from mystira.domain.accounts.use_cases import read_account, set_role
from mystira.http.callers import SUPER_STAFF
from mystira.http.operations import Answer, Call, Operation, show_version
from mystira.platform import Platform
from mystira.services.admin.people import Reason, actor_of


class RoleChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The role that an account is to have, and why."""

    role: Role
    reason: Reason


class RoleGiven(Struct, frozen=True, kw_only=True, rename="camel"):
    """The role that an account has now, and the one that it had."""

    account_id: str
    role: Role
    former: Role


def role_operations(platform: Platform) -> tuple[Operation[Any], ...]:
    """What can be asked about roles."""

    async def give(call: Call[RoleChange]) -> Answer:
        actor, sent, accounts = actor_of(call), call.sent, platform.accounts
        known = await read_account(accounts, call.path["accountId"])
        await audit(
            platform.documents,
            platform.clock,
            actor=actor,
            action=f"role:{sent.role.value}",
            subject=f"{accounts.kind.name}/{known.key}",
            reason=sent.reason,
        )
        changed = await set_role(accounts, known.key, sent.role, clock=platform.clock)
        given = RoleGiven(account_id=known.key, role=changed.value.role, former=known.value.role)
        return show_version(given, changed.version)

    return (
        Operation(
            method="PUT",
            path="/people/{accountId}/role",
            tag="people",
            name="setRole",
            summary="Give an account a role",
            description=(
                "It counts from the next request of whoever is signed in to the account. Who gave it and why "
                "is written down."
            ),
            takes=RoleChange,
            handle=give,
            answers={200: RoleGiven},
            refuses=("not_found", "contended"),
            allows=SUPER_STAFF,
            versioned=True,
            names_actor=True,
            example={"role": "Admin", "reason": "Writes stories with us from today"},
        ),
    )
