"""Brings a bundle in, item by item: each is kept whole or refused, and the outcome says which and why.

Media come first, then the stories that name them, then the record of the bundle, which is only made once all
its stories are there. Brought in again, what is the same already is left as it is.
"""

import asyncio
import re
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec
from msgspec import Struct

from manystore.clock import Clock
from manystore.repository import Repository
from manystore.specifications import Specification, field
from mystira.domain.bundles.archive import Archive, ArchiveError, Item, Sort
from mystira.domain.bundles.manifest import Manifest, read_manifest
from mystira.domain.bundles.model import ContentBundle
from mystira.domain.errors import AlreadyExistsError, DomainError, NotFoundError
from mystira.domain.files.errors import InvalidContentError
from mystira.domain.files.findings import Finding
from mystira.domain.media.use_cases import Bytes, Media, Objects, add_media, replace_media
from mystira.domain.records import change_record, create_record, read_record
from mystira.domain.scenarios.model import Scenario
from mystira.domain.scenarios.reading import Review, review_file
from mystira.domain.scenarios.use_cases import Scenarios, create_story, publish_story, replace_story
from mystira.domain.scenarios.vocabulary import UNKNOWN, Vocabulary, media_of

Bundles = Repository[ContentBundle]

Outcome = Literal["created", "replaced", "unchanged", "exists", "refused", "ignored"]
Existing = Literal["keep", "replace"]
"""What to do with what is there already and differs: keep it and say `exists`, or replace it."""

Told = Callable[[int, int], None]
"""Hears how many items are done, of how many."""

_PAGE = 200


class Library(Struct, frozen=True, kw_only=True):
    """Where content is kept."""

    scenarios: Scenarios
    bundles: Bundles
    media: Media
    objects: Objects


class ItemOutcome(Struct, frozen=True, kw_only=True):
    """What became of one file of a bundle, under which id, and what was found in it."""

    item: str
    sort: Sort
    outcome: Outcome
    id: str | None = None
    findings: tuple[Finding, ...] = ()


class BundleOutcome(Struct, frozen=True, kw_only=True):
    """What became of a bundle: each item, and the id of its record where it has one now."""

    items: tuple[ItemOutcome, ...]
    bundle_id: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether everything that the bundle holds is here now."""
        return not any(each.outcome in ("refused", "exists") for each in self.items)


class Wishes(Struct, frozen=True, kw_only=True):
    """How to bring a bundle in."""

    existing: Existing = "keep"
    publish: bool = False
    vocabulary: Vocabulary = UNKNOWN


async def import_bundle(
    library: Library,
    path: Path,
    wishes: Wishes,
    *,
    clock: Clock,
    told: Told = lambda done, total: None,
) -> BundleOutcome:
    """Bring in the bundle in a zip file.

    Raises InvalidContentError, before anything is written, for a file that is no such zip, tries to lead out
    of itself, or has a broken manifest.
    """
    try:
        archive = await asyncio.to_thread(Archive.open, path)
    except ArchiveError as error:
        raise InvalidContentError(name="The bundle", findings=[error.finding]) from error
    try:
        return await _Import(library, archive, wishes, clock, told).run()
    finally:
        await asyncio.to_thread(archive.close)


async def known_media(media: Media, names: Iterable[str]) -> frozenset[str]:
    """Those of the ids under which there is media."""
    wanted, known = sorted(set(names)), set[str]()
    for at in range(0, len(wanted), _PAGE):
        some = Specification(where=field("mediaId").is_in(wanted[at : at + _PAGE]), limit=_PAGE)
        known |= {stored.key for stored in (await media.find(some)).items}
    return frozenset(known)


async def review_with_media(
    media: Media,
    data: bytes,
    *,
    name: str,
    vocabulary: Vocabulary,
    review: Callable[..., Review] = review_file,
) -> Review:
    """The review of a story's file that also knows which media are at hand."""
    # A large story takes a while to judge, and others are served meanwhile.
    first = await asyncio.to_thread(review, data, name=name, vocabulary=vocabulary)
    if first.draft is None:
        return first
    named = {word for word, _ in media_of(first.draft)}
    known = await known_media(media, named)
    if named <= known:
        return first
    knowing = msgspec.structs.replace(vocabulary, media=known)
    return await asyncio.to_thread(review, data, name=name, vocabulary=knowing)


class _Import:
    """One bundle on its way in."""

    def __init__(self, library: Library, archive: Archive, wishes: Wishes, clock: Clock, told: Told) -> None:
        self._library, self._archive, self._wishes = library, archive, wishes
        self._clock, self._told = clock, told
        self._manifest: Manifest | None = None
        self._taken: dict[tuple[Sort, str], str] = {}

    async def run(self) -> BundleOutcome:
        """Every item, then the record of the bundle."""
        items = self._archive.items
        outcomes = [await self._read_manifest(item) for item in items if item.sort == "manifest"]
        for sort, bring in (("media", self._media), ("scenario", self._story), ("other", self._pass_over)):
            for item in [each for each in items if each.sort == sort]:
                outcomes.append(await self._guarded(item, bring))
                self._told(len(outcomes), len(items))
        bundle = None if self._manifest is None else await self._bundle(self._manifest, outcomes)
        return BundleOutcome(items=tuple(outcomes), bundle_id=bundle)

    async def _guarded(self, item: Item, bring: Callable[[Item], Awaitable[ItemOutcome]]) -> ItemOutcome:
        try:
            return await bring(item)
        except InvalidContentError as error:
            return _outcome(item, "refused", findings=error.findings)
        except ArchiveError as error:
            return _outcome(item, "refused", findings=[error.finding])
        except DomainError as error:
            return _outcome(item, "refused", findings=[_said(error.code, str(error))])

    async def _read_manifest(self, item: Item) -> ItemOutcome:
        if self._manifest is not None:
            return _outcome(item, "ignored")
        try:
            data = await asyncio.to_thread(self._archive.read, item)
        except ArchiveError as error:
            raise InvalidContentError(name="The bundle", findings=[error.finding]) from error
        review = read_manifest(data, name=item.name)
        if review.manifest is None:
            raise InvalidContentError(name="The manifest", findings=review.findings)
        self._manifest = review.manifest
        return _outcome(item, "unchanged", review.manifest.bundle.id, review.findings)

    async def _pass_over(self, item: Item) -> ItemOutcome:
        return _outcome(item, "ignored")

    async def _media(self, item: Item) -> ItemOutcome:
        entries = [] if self._manifest is None else self._manifest.media
        entry = next((each for each in entries if each.file == item.inner), None)
        media_id = _id_of(item) if entry is None else entry.id
        if not media_id:
            return _outcome(item, "refused", findings=[_said("no_id", "No id can be made of this name.")])
        if twin := self._twin(item, media_id):
            return twin
        # A folder of its own is gone with the block, whatever happens in it.
        with tempfile.TemporaryDirectory(prefix="mystira-bundle-") as folder:
            brought = await asyncio.to_thread(self._archive.extract, item, Path(folder) / "item")
            return _outcome(item, await self._keep(media_id, brought, entry.tags if entry else []), media_id)

    async def _keep(self, media_id: str, brought: Bytes, tags: list[str]) -> Outcome:
        media, objects = self._library.media, self._library.objects
        try:
            former = await read_record(media, media_id)
        except NotFoundError:
            await add_media(media, objects, media_id, brought, clock=self._clock, tags=tags)
            return "created"
        if former.value.sha256 == brought.sha256:
            return "unchanged"
        if self._wishes.existing == "keep":
            return "exists"
        await replace_media(media, objects, media_id, brought, clock=self._clock, expected=former.version)
        return "replaced"

    async def _story(self, item: Item) -> ItemOutcome:
        data = await asyncio.to_thread(self._archive.read, item)
        review = await review_with_media(
            self._library.media, data, name=item.name, vocabulary=self._wishes.vocabulary
        )
        if review.story is None:
            return _outcome(item, "refused", findings=review.findings)
        if twin := self._twin(item, review.story.id):
            return twin
        return _outcome(item, await self._keep_story(review), review.story.id, review.findings)

    async def _keep_story(self, review: Review) -> Outcome:
        assert review.story is not None, "only what is sound is kept"
        scenarios, key = self._library.scenarios, review.story.id
        try:
            await create_story(scenarios, review, clock=self._clock, publish=self._wishes.publish)
        except AlreadyExistsError:
            former = await read_record(scenarios, key)
        else:
            return "created"
        if self._wishes.existing == "keep" and not is_same_story(former.value, review.story):
            return "exists"
        now = await replace_story(scenarios, key, review, clock=self._clock, expected=former.version)
        if self._wishes.publish:
            await publish_story(scenarios, key, clock=self._clock, expected=now.version)
        return "unchanged" if now.version == former.version else "replaced"

    async def _bundle(self, manifest: Manifest, outcomes: list[ItemOutcome]) -> str | None:
        """Make or change the record, unless a story that belongs to it is not here."""
        at = next(index for index, each in enumerate(outcomes) if each.sort == "manifest")
        brought = [each.id for each in outcomes if each.sort == "scenario" and each.id is not None]
        wanted = brought if manifest.scenarios is None else manifest.scenarios
        absent = [key for key in wanted if await self._library.scenarios.get(key) is None]
        if absent or any(each.sort == "scenario" and each.outcome == "refused" for each in outcomes):
            missing = ", ".join(absent[:5]) or "a story that was refused"
            message = f"The bundle is not made, because it lacks {missing}."
            outcomes[at] = _again(outcomes[at], "refused", _said("incomplete", message))
            return None
        outcomes[at] = await self._keep_bundle(manifest.bundle, wanted, outcomes[at])
        return None if outcomes[at].outcome == "refused" else manifest.bundle.id

    async def _keep_bundle(
        self, bundle: ContentBundle, stories: list[str], outcome: ItemOutcome
    ) -> ItemOutcome:
        now, bundles = self._clock.now(), self._library.bundles
        wanted = msgspec.structs.replace(bundle, scenario_ids=stories)
        try:
            await create_record(bundles, msgspec.structs.replace(wanted, created_at=now, updated_at=now))
        except AlreadyExistsError:
            former = await read_record(bundles, bundle.id)
        else:
            return _again(outcome, "created")

        def alter(value: ContentBundle) -> ContentBundle:
            kept = {name: getattr(value, name) for name in ("created_at", "updated_at", "is_active")}
            return msgspec.structs.replace(wanted, **kept)

        if self._wishes.existing == "keep" and alter(former.value) != former.value:
            return _again(outcome, "exists")
        changed = await change_record(bundles, bundle.id, alter, now=now, expected=former.version)
        return _again(outcome, "unchanged" if changed.version == former.version else "replaced")

    def _twin(self, item: Item, key: str) -> ItemOutcome | None:
        """The refusal of an item whose id another one of the bundle has taken."""
        first = self._taken.setdefault((item.sort, key), item.name)
        if first == item.name:
            return None
        message = f"{first} has the id {key!r} already: give this one another."
        return _outcome(item, "refused", findings=[_said("duplicate", message)])


def _id_of(item: Item) -> str:
    """The id of media that no manifest names: the name below `media/`, without its ending."""
    stem = str(PurePosixPath(item.inner).with_suffix(""))
    return re.sub(r"[^A-Za-z0-9._:~-]+", "-", stem).strip("-._~:")[:255]


def is_same_story(one: Scenario, other: Scenario) -> bool:
    """Whether two stories have the same text, whatever the platform knows of them beside it."""
    beside = ("id", "created_at", "updated_at", "is_active", "is_featured", "ip_asset")
    return one == msgspec.structs.replace(other, **{name: getattr(one, name) for name in beside})


def _outcome(
    item: Item, outcome: Outcome, key: str | None = None, findings: Iterable[Finding] = ()
) -> ItemOutcome:
    return ItemOutcome(item=item.name, sort=item.sort, outcome=outcome, id=key, findings=tuple(findings))


def _again(former: ItemOutcome, outcome: Outcome, *more: Finding) -> ItemOutcome:
    return msgspec.structs.replace(former, outcome=outcome, findings=(*former.findings, *more))


def _said(code: str, message: str) -> Finding:
    return Finding(severity="error", code=code, message=message)
