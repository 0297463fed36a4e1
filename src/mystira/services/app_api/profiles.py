"""Profiles as players' apps see them."""

import functools
from typing import Any

import msgspec

from manystore.repository import Stored
from mystira.domain.consents.kind import PARENTAL_CONSENTS
from mystira.domain.consents.model import ParentalConsent
from mystira.domain.consents.rules import ConsentNeededError, guarded
from mystira.domain.consents.use_cases import consented
from mystira.domain.errors import MissingParentError
from mystira.domain.profiles import use_cases
from mystira.domain.profiles.model import BadgeAward, NewProfile, ProfileChange, ProfileSearch, UserProfile
from mystira.domain.records import merge_patch
from mystira.gateways.idempotency import IdempotencyKeys
from mystira.http.callers import SIGNED_IN, SUPER_STAFF, Owner
from mystira.http.etags import etag, expected_version
from mystira.http.idempotency import Creation, create_once
from mystira.http.operations import Answer, Call, Operation, show, show_nothing
from mystira.http.problems import ProblemError
from mystira.http.queries import Nothing
from mystira.platform import Platform
from mystira.services.app_api.answers import PREFIX, Page, show_page, show_record, show_unless_known, view
from mystira.services.app_api.owners import profile_owner


class ProfileView(UserProfile, frozen=True, kw_only=True, rename="camel"):
    """A profile as it is shown; `etag` goes into If-Match as it stands."""

    etag: str


class ProfileRoutes:
    """What each operation on profiles does."""

    def __init__(self, platform: Platform, keys: IdempotencyKeys) -> None:
        self._accounts, self._profiles = platform.accounts, platform.profiles
        self._clock, self._keys = platform.clock, keys
        self._consents = platform.repository(ParentalConsent, PARENTAL_CONSENTS)

    async def create(self, call: Call[NewProfile]) -> Answer:
        """Make a profile, in the caller's account where no other is named."""
        caller, new = call.caller, call.sent
        if new.account_id is None and not caller.reaches_all:
            new = msgspec.structs.replace(new, account_id=caller.account_id)
        _require_reach(call, new.account_id)
        asked = {name: getattr(new, name) for name in NewProfile.__struct_fields__}
        await self._require_consent(call, None, UserProfile(id="", created_at=self._clock.now(), **asked))

        async def make(profile_id: str | None) -> Stored[UserProfile]:
            return await use_cases.create_profile(
                self._profiles, self._accounts, new, clock=self._clock, profile_id=profile_id
            )

        creation = Creation(
            name="createProfile",
            make=make,
            read=functools.partial(use_cases.read_profile, self._profiles),
            headers=lambda stored: {
                "Location": f"{PREFIX}/profiles/{stored.key}",
                "ETag": etag(stored.version),
            },
            view=functools.partial(view, ProfileView),
        )
        return await create_once(self._keys, call, creation)

    async def read(self, call: Call[Nothing]) -> Answer:
        """One profile."""
        return await show_unless_known(ProfileView, call, lambda: self._read(call))

    async def _read(self, call: Call[Any]) -> Stored[UserProfile]:
        return await use_cases.read_profile(self._profiles, call.path["profileId"])

    async def search(self, call: Call[ProfileSearch]) -> Answer:
        """A page of profiles: the caller's, or all for whoever reaches all."""
        caller, search = call.caller, call.sent
        if search.account_id is None and not caller.reaches_all:
            search = msgspec.structs.replace(search, account_id=caller.account_id)
        elif search.account_id is not None and not caller.reaches(search.account_id):
            return show(Page[ProfileView](items=[], continuation=None))
        return show_page(ProfileView, await use_cases.list_profiles(self._profiles, search))

    async def change(self, call: Call[ProfileChange]) -> Answer:
        """Change a profile."""
        account_id = call.sent.account_id
        if account_id is None and not call.caller.reaches_all:
            detail = "A profile leaves its account when it is deleted; nobody else can take it over."
            raise ProblemError("not_allowed", detail, path="accountId")
        if isinstance(account_id, str):
            _require_reach(call, account_id)
        before = (await self._read(call)).value
        await self._require_consent(call, before, merge_patch(before, call.sent))
        expected = await expected_version(call.demand, lambda: self._read(call))
        changed = await use_cases.change_profile(
            self._profiles,
            self._accounts,
            call.path["profileId"],
            call.sent,
            clock=self._clock,
            expected=expected,
        )
        return show_record(ProfileView, changed)

    async def _require_consent(self, call: Call[Any], before: UserProfile | None, after: UserProfile) -> None:
        """Raise ConsentNeededError where a parent has to allow it first. Whoever runs the platform is not
        asked: they answer for having been allowed to.
        """
        if call.caller.reaches_all:
            return
        today = self._clock.now().date()
        for each in guarded(before, after, today):
            # The consent of a child's parent also allows what makes it a child's no longer.
            if before is None or not await consented(self._consents, before, each.purpose):
                raise ConsentNeededError(purpose=each.purpose, field=each.field)

    async def delete(self, call: Call[Nothing]) -> Answer:
        """Delete a profile with its badges."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        await use_cases.delete_profile(self._profiles, call.path["profileId"], expected=expected)
        return show_nothing()

    async def award_badge(self, call: Call[BadgeAward]) -> Answer:
        """Give a badge."""
        changed = await use_cases.award_badge(
            self._profiles, call.path["profileId"], call.sent, clock=self._clock
        )
        return show_record(ProfileView, changed)


def _require_reach(call: Call[Any], account_id: str | None) -> None:
    """Raise MissingParentError for somebody else's account, as for one that is not there."""
    if account_id is not None and not call.caller.reaches(account_id):
        raise MissingParentError(
            kind="user_profiles",
            key=call.path.get("profileId", ""),
            field="accountId",
            parent_kind="accounts",
            parent_key=account_id,
        )


def profile_operations(platform: Platform, keys: IdempotencyKeys) -> tuple[Operation[Any], ...]:
    """What can be asked about profiles."""
    routes, owner = ProfileRoutes(platform, keys), profile_owner(platform.profiles)
    return (*_many(routes), *_one(routes, owner), *_parts(routes))


def _many(routes: ProfileRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="profiles", path="/profiles", allows=SIGNED_IN)
    return (
        operation(
            method="POST",
            name="createProfile",
            summary="Make a profile",
            description=(
                "It belongs to the caller's account. A child's begins with a first name; what else it may "
                "say of itself, a parent has to allow."
            ),
            takes=NewProfile,
            handle=routes.create,
            answers={201: ProfileView},
            refuses=("already_exists", "missing_parent", "consent_needed", "not_representable"),
            keyed=True,
            versioned=True,
            example={"name": "Robin", "ageGroup": "6-9", "preferredThemes": ["forest"]},
        ),
        operation(
            method="GET",
            name="listProfiles",
            summary="List profiles",
            description=(
                "Those of the caller's account. All conditions given must hold. "
                "A minus before the order means largest first."
            ),
            takes=ProfileSearch,
            handle=routes.search,
            answers={200: Page[ProfileView]},
            refuses=("invalid_continuation",),
        ),
    )


def _one(routes: ProfileRoutes, owner: Owner) -> tuple[Operation[Any], ...]:
    operation = functools.partial(
        Operation, tag="profiles", path="/profiles/{profileId}", allows=SIGNED_IN, owner=owner
    )
    return (
        operation(
            method="GET",
            name="getProfile",
            summary="Read a profile",
            takes=Nothing,
            handle=routes.read,
            answers={200: ProfileView},
            refuses=("not_found",),
            revalidates=True,
            versioned=True,
        ),
        operation(
            method="PATCH",
            name="changeProfile",
            summary="Change a profile",
            description="A merge patch (RFC 7396): what is left out stays, null takes a value away.",
            takes=ProfileChange,
            handle=routes.change,
            answers={200: ProfileView},
            refuses=("not_found", "missing_parent", "consent_needed", "contended", "not_representable"),
            guarded=True,
            versioned=True,
            example={"name": "Robin H.", "pronouns": None},
        ),
        operation(
            method="DELETE",
            name="deleteProfile",
            summary="Delete a profile",
            description="Its badges go with it.",
            takes=Nothing,
            handle=routes.delete,
            answers={204: None},
            refuses=("not_found", "contended"),
            guarded=True,
        ),
    )


def _parts(routes: ProfileRoutes) -> tuple[Operation[Any], ...]:
    return (
        Operation(
            method="POST",
            tag="profiles",
            path="/profiles/{profileId}/badges",
            allows=SUPER_STAFF,
            name="awardBadge",
            summary="Give a badge",
            description="Once per badge configuration: given again, the first stands as it is.",
            takes=BadgeAward,
            handle=routes.award_badge,
            answers={200: ProfileView},
            refuses=("not_found", "contended", "not_representable"),
            versioned=True,
            example={"badgeConfigurationId": "curious-1", "badgeName": "Curious", "axis": "Curiosity"},
        ),
    )
