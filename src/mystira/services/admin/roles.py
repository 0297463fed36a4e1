"""Who is staff: the roles of accounts, given and taken by those who run the platform, and second factors
that were lost.
"""

from typing import Any

from msgspec import Struct

from manystore.followers.queue import audit
from mystira.domain.accounts.model import Role
from mystira.domain.accounts.use_cases import read_account, set_role
from mystira.domain.second_factors.kind import SECOND_FACTORS
from mystira.domain.second_factors.model import SecondFactor
from mystira.domain.second_factors.use_cases import reset_second_factor
from mystira.domain.signing_in.kind import SIGN_INS
from mystira.domain.signing_in.model import SignIn
from mystira.http.callers import SUPER_STAFF
from mystira.http.operations import Answer, Call, Operation, show_nothing, show_version
from mystira.platform import Platform
from mystira.services.admin.people import Reason, actor_of


class RoleChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The role that an account is to have, and why."""

    role: Role
    reason: Reason


class SecondFactorReset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why somebody's second factor is taken away."""

    reason: Reason


class RoleGiven(Struct, frozen=True, kw_only=True, rename="camel"):
    """The role that an account has now, and the one that it had."""

    account_id: str
    role: Role
    former: Role


def role_operations(platform: Platform) -> tuple[Operation[Any], ...]:
    """What can be asked about roles and second factors."""
    return (_giving(platform), _resetting(platform))


def _giving(platform: Platform) -> Operation[Any]:
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

    return Operation(
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
    )


def _resetting(platform: Platform) -> Operation[Any]:
    factors = platform.repository(SecondFactor, SECOND_FACTORS)
    sign_ins = platform.repository(SignIn, SIGN_INS)

    async def reset(call: Call[SecondFactorReset]) -> Answer:
        known = await read_account(platform.accounts, call.path["accountId"])
        await audit(
            platform.documents,
            platform.clock,
            actor=actor_of(call),
            action="second-factor:reset",
            subject=f"{platform.accounts.kind.name}/{known.key}",
            reason=call.sent.reason,
        )
        await reset_second_factor(factors, sign_ins, known.key)
        return show_nothing()

    return Operation(
        method="POST",
        path="/people/{accountId}/second-factor/reset",
        tag="people",
        name="resetSecondFactor",
        summary="Take somebody's second factor away",
        description=(
            "For whoever has lost theirs, once they have shown in another way who they are. Every sign-in of "
            "the account ends. Who did it and why is written down."
        ),
        takes=SecondFactorReset,
        handle=reset,
        answers={204: None},
        refuses=("not_found", "second_factor_not_set", "contended"),
        allows=SUPER_STAFF,
        names_actor=True,
        example={"reason": "The telephone was lost; seen in person"},
    )
