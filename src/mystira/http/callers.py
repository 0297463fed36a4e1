"""Who calls, who may, and whose a record is.

Every operation states who may call it:

    allows=ANYONE                      also without signing in
    allows=SIGNED_IN                   every role
    allows=STAFF                       Admin and SuperAdmin
    allows=SUPER_STAFF                 SuperAdmin alone
    allows=STAFF | by_service("publisher")
    allows=STAFF.by_one_factor()     staff before they showed their second factor as well

and, where the path names a record that belongs to an account, whose it is:

    allows=SIGNED_IN, owner=OWN_ACCOUNT
    allows=SIGNED_IN, owner=Owner(kind="user_profiles", parameter="profileId", find=account_of_profile)

The record of somebody else is answered as one that is not there, so that nobody learns which ids exist. A
SuperAdmin reaches everybody's.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from msgspec import Struct, structs

from mystira.domain.accounts.model import Role
from mystira.domain.errors import NotFoundError
from mystira.http.problems import ProblemError

_STAFF_ROLES: Final = frozenset({Role.ADMIN, Role.SUPER_ADMIN})


class Caller(Struct, frozen=True, kw_only=True):
    """Who calls: an account by one of its sign-ins, a `service` by its name, or nobody that we know.

    A service has no role unless it acts for those who run the platform, as the commands do. Of an account,
    `second_factor` says whether one was shown for this sign-in.
    """

    role: Role | None = None
    account_id: str | None = None
    sign_in_id: str | None = None
    service: str | None = None
    second_factor: bool = False

    @property
    def is_known(self) -> bool:
        """Whether the caller showed credentials that hold."""
        return self.role is not None or self.service is not None

    @property
    def reaches_all(self) -> bool:
        """Whether the caller may reach the records of every account."""
        return self.role is Role.SUPER_ADMIN and not self.lacks_second_factor

    @property
    def lacks_second_factor(self) -> bool:
        """Whether the caller is staff by what came by mail alone. A program has no mail, and shows a key."""
        return self.role in _STAFF_ROLES and self.service is None and not self.second_factor

    def owns(self, account_id: str | None) -> bool:
        """Whether what belongs to the account is the caller's own."""
        # Old data may spell an id in capitals.
        if account_id is None or self.account_id is None:
            return False
        return self.account_id.lower() == account_id.lower()

    def reaches(self, account_id: str | None) -> bool:
        """Whether the caller may reach what belongs to the account (None: to nobody)."""
        return self.reaches_all or self.owns(account_id)


NOBODY: Final = Caller()
OPERATOR: Final = Caller(role=Role.SUPER_ADMIN, service="operator")
"""Whoever runs the platform: the commands, and what they set going."""


class Authenticate(Protocol):
    """Finds out who calls."""

    async def __call__(self, shown: str | None, *, audience: str) -> Caller:
        """Who shows an Authorization header of this value to the service named `audience`.

        NOBODY where there is none, or what it says does not hold.
        """


class Access(Struct, frozen=True):
    """Who may call an operation: `anyone`, or those of some roles and some services.

    Staff have to have shown their second factor, unless `one_factor` is enough.
    """

    roles: frozenset[Role] = frozenset()
    services: frozenset[str] = frozenset()
    anyone: bool = False
    one_factor: bool = False

    def admits(self, caller: Caller) -> bool:
        """Whether the caller is among them."""
        if self.anyone or caller.service in self.services:
            return True
        return self.names(caller) and (self.one_factor or not caller.lacks_second_factor)

    def names(self, caller: Caller) -> bool:
        """Whether the caller has a role that may, with or without a second factor."""
        return caller.role in self.roles

    def by_one_factor(self) -> "Access":
        """The same callers, also before staff among them showed their second factor."""
        return structs.replace(self, one_factor=True)

    def __or__(self, other: "Access") -> "Access":
        return Access(
            self.roles | other.roles,
            self.services | other.services,
            self.anyone or other.anyone,
            self.one_factor and other.one_factor,
        )


ANYONE: Final = Access(anyone=True)
SIGNED_IN: Final = Access(frozenset(Role))
STAFF: Final = Access(_STAFF_ROLES)
SUPER_STAFF: Final = Access(frozenset({Role.SUPER_ADMIN}))


def by_service(*names: str) -> Access:
    """Services of these names alone."""
    return Access(services=frozenset(names))


class Owner(Struct, frozen=True, kw_only=True):
    """How the account is found that a record in a path belongs to.

    `parameter` is the part of the path that holds the record's key, and `kind` what it is a record of.
    `find` gives the account's id for a key, or None where there is no such record or it is nobody's; it may
    raise NotFoundError as well. Without it, the key is the account's id.
    """

    kind: str
    parameter: str
    find: Callable[[str], Awaitable[str | None]] | None = None


OWN_ACCOUNT: Final = Owner(kind="accounts", parameter="accountId")


async def require_caller(
    access: Access, authenticate: Authenticate, shown: str | None, *, audience: str
) -> Caller:
    """The caller, if there is one who may call. Raises ProblemError (401, 403)."""
    if access.anyone and shown is None:
        return NOBODY
    caller = await authenticate(shown, audience=audience)
    if access.admits(caller):
        return caller
    if not caller.is_known:
        raise _not_signed_in(shown)
    if access.names(caller):
        detail = "Show your second factor (showSecondFactor), or set one up first (beginSecondFactor)."
        raise ProblemError("second_factor_needed", detail)
    raise ProblemError("not_allowed", f"This is for {describe_access(access)}.")


async def require_owner(owner: Owner, caller: Caller, path: Mapping[str, Any]) -> None:
    """Raise NotFoundError unless the record in the path is there and within the caller's reach."""
    if caller.reaches_all:
        return
    key = path[owner.parameter]
    account_id = key if owner.find is None else await owner.find(key)
    if not caller.owns(account_id):
        raise NotFoundError(kind=owner.kind, key=key)


def describe_access(access: Access) -> str:
    """Who may call, in words that follow "for"."""
    if access.anyone:
        return "everybody"
    if access.roles == SIGNED_IN.roles:
        return _listed(["whoever is signed in", *sorted(access.services)])
    roles = [role.value for role in Role if role in access.roles]
    return _listed([*roles, *sorted(access.services)])


def _listed(names: Iterable[str]) -> str:
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def _not_signed_in(shown: str | None) -> ProblemError:
    if shown is None:
        detail, challenge = "Send the token of your sign-in as `Authorization: Bearer …`.", "Bearer"
    else:
        detail = "The token is none of ours, has run out, or was revoked: sign in again."
        challenge = 'Bearer error="invalid_token"'
    return ProblemError("not_signed_in", detail, headers={"WWW-Authenticate": challenge})
