"""What staff do with the records of bundles, beside bringing whole bundles in."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from manystore.clock import Clock
from manystore.repository import Found, Stored
from manystore.specifications import EVERYTHING, Ascending, Predicate, Specification, field
from mystira.domain.bundles.importing import Bundles
from mystira.domain.bundles.model import ContentBundle, Price
from mystira.domain.errors import MissingParentError
from mystira.domain.forms import AgeGroupSpan, ContentId, FilledLine, Paragraphs
from mystira.domain.ids import slug_of
from mystira.domain.records import (
    UNDATED,
    change_record,
    create_record,
    delete_record,
    merge_patch,
    read_record,
)
from mystira.domain.scenarios.use_cases import Scenarios

Amount = Annotated[str, Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,3})?(?![\s\S])")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}(?![\s\S])")]


class AskedPrice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price: a decimal number as text, and a code of ISO 4217."""

    value: Amount
    currency: Currency


Stories = Annotated[list[ContentId], Meta(max_length=2000)]
Prices = Annotated[list[AskedPrice], Meta(max_length=50)]


class NewBundle(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A bundle to be made; without an `id` it gets a slug of its title."""

    title: FilledLine
    id: ContentId | None = None
    description: Paragraphs = ""
    scenario_ids: Stories = msgspec.field(default_factory=list)
    image_id: ContentId | None = None
    prices: Prices = msgspec.field(default_factory=list)
    is_free: bool = False
    is_active: bool = True
    age_group: AgeGroupSpan = "6-9"


class BundleChange(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What can be changed of a bundle."""

    title: FilledLine | UnsetType = UNSET
    description: Paragraphs | UnsetType = UNSET
    scenario_ids: Stories | UnsetType = UNSET
    image_id: ContentId | UnsetType | None = UNSET
    prices: Prices | UnsetType = UNSET
    is_free: bool | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    age_group: AgeGroupSpan | UnsetType = UNSET


class BundleSearch(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which bundles to list, by title."""

    age_group: AgeGroupSpan | None = None
    is_active: bool | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    continuation: Annotated[str, Meta(max_length=4000)] | None = None


def bundle_of(new: NewBundle) -> ContentBundle:
    """The bundle that is to be made, undated."""
    return ContentBundle(
        id=new.id or slug_of(new.title) or "bundle",
        created_at=UNDATED,
        title=new.title,
        description=new.description,
        scenario_ids=new.scenario_ids,
        image_id=new.image_id,
        prices=_kept(new.prices),
        is_free=new.is_free,
        is_active=new.is_active,
        age_group=new.age_group,
    )


async def create_bundle(
    bundles: Bundles, scenarios: Scenarios, new: NewBundle, *, clock: Clock
) -> Stored[ContentBundle]:
    """Make a bundle of stories that are there. Raises MissingParentError and AlreadyExistsError."""
    made, now = bundle_of(new), clock.now()
    await _require_stories(scenarios, made.id, made.scenario_ids)
    return await create_record(bundles, msgspec.structs.replace(made, created_at=now, updated_at=now))


async def read_bundle(bundles: Bundles, bundle_id: str) -> Stored[ContentBundle]:
    """The bundle. Raises NotFoundError."""
    return await read_record(bundles, bundle_id)


async def list_bundles(bundles: Bundles, search: BundleSearch) -> Found[ContentBundle]:
    """One page, by title. Raises InvalidSpecificationError for a continuation of another search."""
    where: Predicate = EVERYTHING
    if search.age_group is not None:
        where &= field("ageGroup") == search.age_group
    if search.is_active is not None:
        where &= field("isActive") == search.is_active
    return await bundles.find(
        Specification(
            where=where, order=(Ascending("title"),), limit=search.limit, continuation=search.continuation
        )
    )


async def change_bundle(
    bundles: Bundles,
    scenarios: Scenarios,
    bundle_id: str,
    change: BundleChange,
    *,
    clock: Clock,
    expected: int | None,
) -> Stored[ContentBundle]:
    """Change a bundle at the `expected` version.

    Raises NotFoundError, MissingParentError, VersionMismatchError, ContendedError.
    """
    if change.scenario_ids is not UNSET:
        await _require_stories(scenarios, bundle_id, change.scenario_ids)

    def alter(bundle: ContentBundle) -> ContentBundle:
        altered = merge_patch(bundle, msgspec.structs.replace(change, prices=UNSET))
        if change.prices is UNSET:
            return altered
        return msgspec.structs.replace(altered, prices=_kept(change.prices))

    return await change_record(bundles, bundle_id, alter, now=clock.now(), expected=expected)


async def delete_bundle(bundles: Bundles, bundle_id: str, *, expected: int | None) -> None:
    """Take the record of a bundle away; its stories stay.

    Raises NotFoundError, VersionMismatchError, ContendedError.
    """
    await delete_record(bundles, bundle_id, expected=expected)


def _kept(prices: list[AskedPrice]) -> list[Price]:
    return [Price(value=each.value, currency=each.currency) for each in prices]


async def _require_stories(scenarios: Scenarios, bundle_id: str, stories: list[str]) -> None:
    for key in stories:
        if await scenarios.get(key) is None:
            raise MissingParentError(
                kind="content_bundles",
                key=bundle_id,
                field="scenarioIds",
                parent_kind="scenarios",
                parent_key=key,
            )
