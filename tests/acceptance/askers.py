"""Who asks in the matrix of access, and the world in which they do."""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from mystira.clients.service_key import find_service_key
from mystira.clients.service_tokens import sign_token
from mystira.domain.accounts.model import Role
from mystira.domain.badges.kind import BADGES
from mystira.domain.badges.model import Badge
from mystira.domain.profiles.model import NewProfile
from mystira.domain.profiles.use_cases import create_profile
from mystira.domain.sessions.model import NewPlayer, NewSession
from mystira.domain.sessions.play import anybody
from mystira.domain.sessions.starting import start_session
from mystira.http.callers import NOBODY, OPERATOR, Caller
from mystira.http.service import Service
from tests.acceptance.table import BRONZE, STONES, shelve
from tests.callers import Member, let_in
from tests.serving import Api
from tests.unit.playroom import CALM


class World(msgspec.Struct):
    """An API with a story on its shelf, and somebody else who has everything that the caller has."""

    api: Api
    story: str
    other: Member

    async def profile_of(self, account_id: str) -> str:
        """A new profile of an account."""
        platform = self.api.platform
        new = NewProfile(name="Robin", account_id=account_id)
        made = await create_profile(platform.profiles, platform.accounts, new, clock=platform.clock)
        return made.key

    async def made(self, path: str, *, upload: bytes | None = None, **content: Any) -> str:
        """The id of new content, which staff made."""
        headers = {"Authorization": signed(self, "operator", "adminApi")}
        if upload is None:
            answer = await self.api.client.post(f"/admin/api{path}", headers=headers, json=content)
        else:
            headers["Content-Type"] = content.pop("media_type")
            answer = await self.api.client.post(
                f"/admin/api{path}", headers=headers, content=upload, params=content
            )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def session_of(self, account_id: str) -> str:
        """A new session of an account."""
        profile_id = await self.profile_of(account_id)
        players = [NewPlayer(profile_id=profile_id, character_id="heron")]
        new = NewSession(scenario_id=self.story, profile_id=profile_id, players=players)
        begun = await start_session(
            self.api.platform.play, new, account_id, may_play=_everybody, may_join=anybody
        )
        return begun.stored.key


async def _everybody(*_: object) -> bool:
    return True


async def make_world(api: Api) -> World:
    """The world of an API that is empty."""
    badge = BRONZE | {"id": "calm-bronze", "axis": CALM}
    await api.platform.repository(Badge, BADGES).create(msgspec.convert(badge, Badge))
    return World(api, await shelve(api.platform, STONES), await let_in(api.platform))


class Asking(msgspec.Struct, frozen=True):
    """Who asks: as they are to be known, and the header that they show."""

    caller: Caller
    header: str | None

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.header is None else {"Authorization": self.header}


async def _member(world: World, service: Service, role: Role) -> Asking:
    return await _signed_in(world, role, second_factor=True)


async def _signed_in(world: World, role: Role, *, second_factor: bool) -> Asking:
    member = await let_in(world.api.platform, role=role, second_factor=second_factor)
    caller = Caller(role=role, account_id=member.account_id, second_factor=second_factor)
    return Asking(caller, f"Bearer {member.token}")


def signed(
    world: World, issuer: str, audience: str, *, key: str | None = None, age: dt.timedelta = dt.timedelta()
) -> str:
    """The header of a program of the platform."""
    key = key or find_service_key(world.api.settings)
    now = world.api.platform.clock.now() - age
    return f"Bearer {sign_token(key, issuer=issuer, audience=audience, now=now)}"


async def _nobody(world: World, service: Service) -> Asking:
    return Asking(NOBODY, None)


async def _stranger(world: World, service: Service) -> Asking:
    return Asking(NOBODY, f"Bearer {'A' * 43}")


async def _in_another_scheme(world: World, service: Service) -> Asking:
    return Asking(NOBODY, "Basic YWRhOmFkYQ==")


async def _operator(world: World, service: Service) -> Asking:
    return Asking(OPERATOR, signed(world, "operator", service.name))


async def _operator_for_another(world: World, service: Service) -> Asking:
    return Asking(NOBODY, signed(world, "operator", "anotherApi"))


async def _operator_of_another(world: World, service: Service) -> Asking:
    return Asking(NOBODY, signed(world, "operator", service.name, key="x" * 43))


async def _operator_of_yesterday(world: World, service: Service) -> Asking:
    return Asking(NOBODY, signed(world, "operator", service.name, age=dt.timedelta(days=1)))


async def _publisher(world: World, service: Service) -> Asking:
    return Asking(Caller(service="publisher"), signed(world, "publisher", service.name))


async def _admin_api(world: World, service: Service) -> Asking:
    return Asking(Caller(service="adminApi"), signed(world, "adminApi", service.name))


async def _guest(world: World, service: Service) -> Asking:
    return await _member(world, service, Role.GUEST)


async def _user(world: World, service: Service) -> Asking:
    return await _member(world, service, Role.USER)


async def _admin(world: World, service: Service) -> Asking:
    return await _member(world, service, Role.ADMIN)


async def _super_admin(world: World, service: Service) -> Asking:
    return await _member(world, service, Role.SUPER_ADMIN)


async def _admin_by_mail(world: World, service: Service) -> Asking:
    return await _signed_in(world, Role.ADMIN, second_factor=False)


async def _super_admin_by_mail(world: World, service: Service) -> Asking:
    return await _signed_in(world, Role.SUPER_ADMIN, second_factor=False)


CALLERS: Final[Mapping[str, Callable[[World, Service], Awaitable[Asking]]]] = {
    "nobody": _nobody,
    "a token of nobody's": _stranger,
    "another scheme": _in_another_scheme,
    "a guest": _guest,
    "a user": _user,
    "an admin": _admin,
    "a super admin": _super_admin,
    "an admin without a second factor": _admin_by_mail,
    "a super admin without a second factor": _super_admin_by_mail,
    "the operator": _operator,
    "the operator, for another service": _operator_for_another,
    "the operator of another platform": _operator_of_another,
    "the operator, a day ago": _operator_of_yesterday,
    "a service": _publisher,
    "the Admin API": _admin_api,
}
