"""The manifest of a bundle: what it is called, what it costs, and which file is which media."""

import re
from typing import Any, Final

import msgspec
from msgspec import UNSET

from mystira.domain.bundles.model import ContentBundle, Price
from mystira.domain.files.findings import Finding, in_order, is_sound
from mystira.domain.files.forms import Flag, Many, OneOf, Text
from mystira.domain.files.groups import Field, Group
from mystira.domain.files.reading import read_manuscript
from mystira.domain.files.writing import write_yaml
from mystira.domain.ids import slug_of
from mystira.domain.media.model import MediaAsset
from mystira.domain.records import UNDATED
from mystira.domain.scenarios.story_form import AGE_GROUPS

_ID: Final = Text(
    least=1,
    most=255,
    pattern=re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~-]*"),
    pattern_words="an id of letters, digits and . _ : ~ -",
)

_MANIFEST: Final = Group(
    what="a manifest with title and age_group",
    fields=(
        Field("id", _ID),
        Field("title", Text(least=1, most=200), required=True),
        Field("description", Text(most=4000)),
        Field("age_group", OneOf(words=AGE_GROUPS), required=True),
        Field("image", _ID, aliases=("image_id",)),
        Field("is_free", Flag()),
        Field(
            "prices",
            Many(
                form=Group(
                    what="a price with value and currency",
                    fields=(
                        Field(
                            "value",
                            Text(
                                least=1,
                                most=10,
                                pattern=re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?"),
                                pattern_words="a decimal number such as 4.99",
                                any_scalar=True,
                            ),
                            required=True,
                        ),
                        Field(
                            "currency",
                            Text(
                                least=3,
                                most=3,
                                pattern=re.compile("[A-Z]{3}"),
                                pattern_words="a code of ISO 4217 such as EUR",
                            ),
                            required=True,
                        ),
                    ),
                ),
                most=50,
                of="prices",
            ),
        ),
        Field("scenarios", Many(form=_ID, most=2000, of="ids of stories")),
        Field(
            "media",
            Many(
                form=Group(
                    what="a file and its id",
                    fields=(
                        Field("file", Text(least=1, most=500), required=True),
                        Field("id", _ID, required=True),
                        Field("tags", Many(form=Text(least=1, most=200), most=100)),
                    ),
                ),
                most=2000,
                of="media",
            ),
        ),
    ),
)


class MediaEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the bundle (its name below `media/`), the id under which stories name it, and its tags."""

    file: str
    id: str
    tags: list[str] = msgspec.field(default_factory=list)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a manifest says. `scenarios` is their order; None where it names none, and all belong to it."""

    bundle: ContentBundle
    scenarios: list[str] | None = None
    media: list[MediaEntry] = msgspec.field(default_factory=list)


class ManifestReview(msgspec.Struct, frozen=True, kw_only=True):
    """What came of reading a manifest; None where something is broken."""

    findings: tuple[Finding, ...]
    manifest: Manifest | None = None


def read_manifest(data: bytes, *, name: str = "bundle.yaml") -> ManifestReview:
    """The manifest in a file. Raises nothing, whatever the bytes are."""
    manuscript = read_manuscript(data, name=name)
    told, root = manuscript.complaints, manuscript.root
    read: Any = UNSET if root is None else _MANIFEST.read(root, (), told)
    findings = in_order(told.findings)
    if read is UNSET or not is_sound(findings):
        return ManifestReview(findings=findings)
    bundle = ContentBundle(
        id=read.get("id") or slug_of(read["title"]) or "bundle",
        created_at=UNDATED,
        title=read["title"],
        description=read.get("description", ""),
        image_id=read.get("image"),
        prices=[Price(**each) for each in read.get("prices", [])],
        is_free=read.get("is_free", False),
        age_group=read["age_group"],
    )
    media = [MediaEntry(**each) for each in read.get("media", [])]
    manifest = Manifest(bundle=bundle, scenarios=read.get("scenarios"), media=media)
    return ManifestReview(findings=findings, manifest=manifest)


def write_manifest(bundle: ContentBundle, media: list[tuple[str, MediaAsset]]) -> bytes:
    """The manifest of a bundle whose media lie in the files named."""
    document: dict[str, Any] = {
        "id": bundle.id,
        "title": bundle.title,
        "description": bundle.description or None,
        "age_group": bundle.age_group,
        "image": bundle.image_id,
        "is_free": bundle.is_free,
        "prices": [{"value": each.value, "currency": each.currency} for each in bundle.prices] or None,
        "scenarios": bundle.scenario_ids,
        "media": [_entry(file, asset) for file, asset in media] or None,
    }
    return write_yaml({key: value for key, value in document.items() if value is not None})


def _entry(file: str, asset: MediaAsset) -> dict[str, Any]:
    entry: dict[str, Any] = {"file": file, "id": asset.media_id}
    return entry | {"tags": asset.tags} if asset.tags else entry
