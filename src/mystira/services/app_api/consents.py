"""What parents allow for their children's profiles; and requests that a child be forgotten."""

import datetime as dt
import functools
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from manystore.repository import Stored
from mystira.domain.consents.model import (
    ConsentCode,
    ConsentStatus,
    DeletionRequest,
    NewConsent,
    NewDeletion,
    ParentalConsent,
)
from mystira.domain.consents.playing import LayAside, stop_playing
from mystira.domain.consents.use_cases import (
    Guardianship,
    ask_for_consent,
    ask_to_be_forgotten,
    list_consents,
    list_deletions,
    revoke_consent,
    verify_consent,
)
from mystira.domain.records import read_record
from mystira.gateways.outside import Outside
from mystira.http.admission import Admission
from mystira.http.callers import SIGNED_IN, Owner
from mystira.http.etags import etag
from mystira.http.idempotency import Creation, create_once
from mystira.http.operations import Answer, Call, Operation, show, show_version
from mystira.http.queries import Nothing
from mystira.http.views import view
from mystira.services.app_api.answers import PREFIX, Page, show_page


class ConsentView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A consent as it is shown: to what, and since when it holds or until when it held."""

    id: str
    child_profile_id: str
    status: ConsentStatus
    scope: list[str]
    policy_version: str | None
    requested_at: dt.datetime | None
    expires_at: dt.datetime | None
    verified_at: dt.datetime | None
    revoked_at: dt.datetime | None
    etag: str


class DeletionView(DeletionRequest, frozen=True, kw_only=True, rename="camel"):
    """A request as it is shown."""

    etag: str


class Paging(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page, newest first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    continuation: Annotated[str, Meta(max_length=4096)] | None = None


def _shown(stored: Stored[ParentalConsent]) -> ConsentView:
    consent = stored.value
    shown = {name: getattr(consent, name) for name in ConsentView.__struct_fields__ if name != "etag"}
    return ConsentView(**shown, etag=etag(stored.version))


class ConsentRoutes:
    """What each operation on consents does."""

    def __init__(
        self, guardianship: Guardianship, outside: Outside, admission: Admission, lay_aside: LayAside
    ) -> None:
        self._guardianship, self._outside = guardianship, outside
        self._admission, self._lay_aside = admission, lay_aside

    async def ask(self, call: Call[NewConsent]) -> Answer:
        """Mail a code to the parent."""
        profile_id, outgoing = call.path["profileId"], self._outside.outgoing
        await self._admission.to_ask_a_parent(None if call.caller.reaches_all else profile_id)

        async def make(consent_id: str | None) -> Stored[ParentalConsent]:
            asked = await ask_for_consent(self._guardianship, profile_id, call.sent, consent_id=consent_id)
            outgoing.post(asked.letter)
            return asked.stored

        creation = Creation(
            name=f"askForConsent {profile_id}",
            make=make,
            read=functools.partial(read_record, self._guardianship.consents),
            headers=lambda stored: {
                "Location": f"{PREFIX}/consents/{stored.key}",
                "ETag": etag(stored.version),
            },
            view=_shown,
        )
        return await create_once(self._outside.keys, call, creation)

    async def list(self, call: Call[Paging]) -> Answer:
        """All that was ever asked for a profile."""
        found = await list_consents(
            self._guardianship.consents, call.path["profileId"], **msgspec.structs.asdict(call.sent)
        )
        items = [_shown(stored) for stored in found.items]
        return show(Page(items=items, continuation=found.continuation))

    async def read(self, call: Call[Nothing]) -> Answer:
        """One consent."""
        return self._show(await read_record(self._guardianship.consents, call.path["consentId"]))

    async def confirm(self, call: Call[ConsentCode]) -> Answer:
        """Consent."""
        await self._admission.to_consent(None if call.caller.reaches_all else call.address)
        return self._show(await verify_consent(self._guardianship, call.path["consentId"], call.sent.code))

    async def revoke(self, call: Call[Nothing]) -> Answer:
        """Take a consent back."""
        guardianship = self._guardianship
        stored = await revoke_consent(guardianship, call.path["consentId"])
        await stop_playing(
            stored.value, guardianship.consents, guardianship.profiles, guardianship.clock, self._lay_aside
        )
        return self._show(stored)

    async def ask_to_forget(self, call: Call[NewDeletion]) -> Answer:
        """Write down a request to delete."""
        profile_id = call.path["profileId"]

        async def make(request_id: str | None) -> Stored[DeletionRequest]:
            return await ask_to_be_forgotten(self._guardianship, profile_id, call.sent, request_id=request_id)

        creation = Creation(
            name=f"askForDeletion {profile_id}",
            make=make,
            read=functools.partial(read_record, self._guardianship.deletions),
            headers=lambda stored: {
                "Location": f"{PREFIX}/deletion-requests/{stored.key}",
                "ETag": etag(stored.version),
            },
            view=functools.partial(view, DeletionView),
        )
        return await create_once(self._outside.keys, call, creation)

    async def list_deletions(self, call: Call[Paging]) -> Answer:
        """All requests to delete a profile's data."""
        found = await list_deletions(
            self._guardianship.deletions, call.path["profileId"], **msgspec.structs.asdict(call.sent)
        )
        return show_page(DeletionView, found)

    async def read_deletion(self, call: Call[Nothing]) -> Answer:
        """One request to delete."""
        stored = await read_record(self._guardianship.deletions, call.path["deletionId"])
        return show_version(view(DeletionView, stored), stored.version)

    def _show(self, stored: Stored[ParentalConsent]) -> Answer:
        return show_version(_shown(stored), stored.version)


def consent_operations(
    guardianship: Guardianship, outside: Outside, profile: Owner, admission: Admission, lay_aside: LayAside
) -> tuple[Operation[Any], ...]:
    """What can be asked about consents. `profile` is whose a profile is."""
    routes = ConsentRoutes(guardianship, outside, admission, lay_aside)

    async def of_consent(consent_id: str) -> str | None:
        return (await read_record(guardianship.consents, consent_id)).value.account_id

    async def of_deletion(deletion_id: str) -> str | None:
        return (await read_record(guardianship.deletions, deletion_id)).value.account_id

    consent = Owner(kind="parental_consents", parameter="consentId", find=of_consent)
    deletion = Owner(kind="deletion_requests", parameter="deletionId", find=of_deletion)
    return (
        *_asking(routes, profile),
        *_answering(routes, consent),
        *_deletions(routes, profile, deletion),
    )


def _asking(routes: ConsentRoutes, profile: Owner) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="consents", allows=SIGNED_IN)
    return (
        operation(
            method="POST",
            path="/profiles/{profileId}/consents",
            name="askForConsent",
            summary="Ask a parent for consent",
            description=(
                "A code is mailed to the address of the account, and to no other. It holds for a day, for "
                "five attempts and once."
            ),
            takes=NewConsent,
            handle=routes.ask,
            answers={201: ConsentView},
            refuses=("not_found", "already_exists", "too_often", "not_representable"),
            owner=profile,
            keyed=True,
            versioned=True,
            has_optional_body=True,
            example={"scope": ["details", "analytics"]},
        ),
        operation(
            method="GET",
            path="/profiles/{profileId}/consents",
            name="listConsents",
            summary="What was ever asked for a profile, and what came of it",
            takes=Paging,
            handle=routes.list,
            answers={200: Page[ConsentView]},
            refuses=("not_found", "invalid_continuation"),
            owner=profile,
        ),
    )


def _answering(routes: ConsentRoutes, consent: Owner) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="consents", allows=SIGNED_IN)
    return (
        operation(
            method="GET",
            path="/consents/{consentId}",
            name="getConsent",
            summary="Read a consent",
            takes=Nothing,
            handle=routes.read,
            answers={200: ConsentView},
            refuses=("not_found",),
            owner=consent,
            versioned=True,
        ),
        operation(
            method="POST",
            path="/consents/{consentId}/confirm",
            name="giveConsent",
            summary="Consent, with the code",
            takes=ConsentCode,
            handle=routes.confirm,
            answers={200: ConsentView},
            refuses=("not_found", "wrong_code", "code_void", "too_often", "contended"),
            owner=consent,
            versioned=True,
            example={"code": "7KQ2-M4XD"},
        ),
        operation(
            method="POST",
            path="/consents/{consentId}/revoke",
            name="revokeConsent",
            summary="Take a consent back",
            description="It counts at once. Done again, it changes nothing.",
            takes=Nothing,
            handle=routes.revoke,
            answers={200: ConsentView},
            refuses=("not_found", "contended"),
            owner=consent,
            versioned=True,
        ),
    )


def _deletions(routes: ConsentRoutes, profile: Owner, deletion: Owner) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="consents", allows=SIGNED_IN)
    return (
        operation(
            method="POST",
            path="/profiles/{profileId}/deletion-requests",
            name="askForDeletion",
            summary="Ask that all that is known of a profile be deleted",
            description="It is written down with the day until which it is to be done.",
            takes=NewDeletion,
            handle=routes.ask_to_forget,
            answers={201: DeletionView},
            refuses=("not_found", "already_exists", "not_representable"),
            owner=profile,
            keyed=True,
            versioned=True,
            has_optional_body=True,
            example={"reason": "We moved on."},
        ),
        operation(
            method="GET",
            path="/profiles/{profileId}/deletion-requests",
            name="listDeletions",
            summary="The requests to delete what is known of a profile",
            takes=Paging,
            handle=routes.list_deletions,
            answers={200: Page[DeletionView]},
            refuses=("not_found", "invalid_continuation"),
            owner=profile,
        ),
        operation(
            method="GET",
            path="/deletion-requests/{deletionId}",
            name="getDeletion",
            summary="What became of a request to delete",
            takes=Nothing,
            handle=routes.read_deletion,
            answers={200: DeletionView},
            refuses=("not_found",),
            owner=deletion,
            versioned=True,
        ),
    )
