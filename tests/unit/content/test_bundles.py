"""Bundles of stories and media: what comes in, what is refused, and that what goes out comes in again."""

import contextlib
import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mystira.domain.bundles import archive as archives
from mystira.domain.bundles.archive import Archive, ArchiveError
from mystira.domain.bundles.exporting import export_bundle
from mystira.domain.bundles.importing import BundleOutcome, Wishes, import_bundle, is_same_story
from mystira.domain.bundles.manifest import read_manifest
from mystira.domain.files.errors import InvalidContentError
from mystira.domain.scenarios.reading import review_document
from tests.unit.content.shelves import GIF, MP3, PNG, Shelves, fresh, open_shelves
from tests.unit.content.stories import as_json, as_yaml, story

MANIFEST = {
    "id": "night",
    "title": "Stories of the night",
    "age_group": "6-9",
    "prices": [{"value": 4.99, "currency": "EUR"}],
    "image": "cover",
    "media": [{"file": "pictures/cover.png", "id": "cover", "tags": ["dark"]}],
}


def _story(key: str, **changes: Any) -> bytes:
    return as_yaml(story(id=key, **changes))


def _zip(folder: Path, files: dict[str, bytes]) -> Path:
    path = fresh(folder, ".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in files.items():
            zipped.writestr(name, data)
    return path


def _whole(folder: Path, **more: bytes) -> Path:
    return _zip(
        folder,
        {
            "bundle.yaml": as_yaml(MANIFEST),
            "scenarios/one.yaml": _story("one", image="cover"),
            "scenarios/two.json": as_json(story(id="two", image="song")),
            "media/pictures/cover.png": PNG,
            "media/song.mp3": MP3,
            "README.txt": b"hello",
        }
        | {name.replace("__", "/"): data for name, data in more.items()},
    )


async def _bring(shelves: Shelves, path: Path, **wishes: Any) -> BundleOutcome:
    return await import_bundle(shelves.library, path, Wishes(**wishes), clock=shelves.clock)


def _told(outcome: BundleOutcome) -> dict[str, tuple[str, str | None]]:
    return {each.item: (each.outcome, each.id) for each in outcome.items}


async def test_a_bundle_comes_in_item_by_item(tmp_path: Path) -> None:
    """Stories, media under their ids, and the record that holds them together; the rest is passed over."""
    shelves = await open_shelves()
    outcome = await _bring(shelves, _whole(tmp_path))
    assert _told(outcome) == {
        "bundle.yaml": ("created", "night"),
        "media/pictures/cover.png": ("created", "cover"),
        "media/song.mp3": ("created", "song"),
        "scenarios/one.yaml": ("created", "one"),
        "scenarios/two.json": ("created", "two"),
        "README.txt": ("ignored", None),
    }
    assert outcome.is_whole
    bundle = await shelves.bundles.get("night")
    assert bundle is not None
    assert bundle.value.scenario_ids == ["one", "two"]
    assert bundle.value.prices[0].value == "4.99"
    cover = await shelves.media.get("cover")
    assert cover is not None
    assert (cover.value.media_type, cover.value.tags) == ("image", ["dark"])
    assert not any(each.findings for each in outcome.items)


async def test_a_bundle_brought_in_again_changes_nothing(tmp_path: Path) -> None:
    """Not a version, and every item says so."""
    shelves = await open_shelves()
    path = _whole(tmp_path)
    await _bring(shelves, path)
    outcome = await _bring(shelves, path)
    assert {outcome for outcome, _ in _told(outcome).values()} == {"unchanged", "ignored"}
    one, night = await shelves.scenarios.get("one"), await shelves.bundles.get("night")
    assert one is not None
    assert night is not None
    assert (one.version, night.version) == (1, 1)


async def test_what_is_there_and_differs_is_kept_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    """`exists` says that the bundle's own was not taken."""
    shelves = await open_shelves()
    await _bring(shelves, _whole(tmp_path))
    other = _whole(
        tmp_path,
        **{"scenarios__one.yaml": _story("one", title="Another"), "media__pictures__cover.png": PNG + b"!"},
    )
    kept = await _bring(shelves, other)
    assert _told(kept)["scenarios/one.yaml"][0] == _told(kept)["media/pictures/cover.png"][0] == "exists"
    assert not kept.is_whole
    one = await shelves.scenarios.get("one")
    assert one is not None
    assert one.value.title == "The Lantern on the Hill"
    replaced = await _bring(shelves, other, existing="replace")
    assert (
        _told(replaced)["scenarios/one.yaml"][0]
        == _told(replaced)["media/pictures/cover.png"][0]
        == "replaced"
    )
    one = await shelves.scenarios.get("one")
    assert one is not None
    assert one.value.title == "Another"


async def test_a_broken_story_keeps_the_bundle_back_and_nothing_else(tmp_path: Path) -> None:
    """The other items come in; the record of the bundle waits until all its stories are here."""
    shelves = await open_shelves()
    outcome = await _bring(shelves, _whole(tmp_path, **{"scenarios__one.yaml": _story("one", title="")}))
    told = _told(outcome)
    assert told["scenarios/one.yaml"] == ("refused", None)
    assert told["bundle.yaml"] == ("refused", "night")
    assert told["scenarios/two.json"] == ("created", "two")
    assert outcome.bundle_id is None
    assert await shelves.bundles.get("night") is None
    broken = next(each for each in outcome.items if each.item == "scenarios/one.yaml")
    assert [each.path for each in broken.findings if each.is_error] == ["title"]
    assert (await _bring(shelves, _whole(tmp_path))).bundle_id == "night"


async def test_one_id_is_given_once(tmp_path: Path) -> None:
    """The second story, or picture, of an id is refused."""
    shelves = await open_shelves()
    files = {
        "scenarios/a.yaml": _story("same"),
        "scenarios/b.yaml": _story("same", title="Another"),
        "media/x.png": PNG,
        "media/x.gif": GIF,
    }
    told = _told(await _bring(shelves, _zip(tmp_path, files)))
    assert told["scenarios/a.yaml"][0] == told["media/x.gif"][0] == "created"
    assert told["scenarios/b.yaml"][0] == told["media/x.png"][0] == "refused"


async def test_media_that_are_none_are_refused_by_their_bytes(tmp_path: Path) -> None:
    """Whatever the name says."""
    shelves = await open_shelves()
    outcome = await _bring(
        shelves, _zip(tmp_path, {"media/virus.png": b"MZ\x90\x00", "media/x.svg": b"<svg/>"})
    )
    assert {each.findings[0].code for each in outcome.items} == {"unknown_media"}


async def test_a_story_is_told_which_media_are_missing(tmp_path: Path) -> None:
    """Media of the bundle and of the platform count, others are a warning with a line."""
    shelves = await open_shelves()
    files = {"scenarios/a.yaml": _story("a", image="song"), "media/song.mp3": MP3}
    outcome = await _bring(shelves, _zip(tmp_path, files))
    assert not [finding for each in outcome.items for finding in each.findings]
    outcome = await _bring(shelves, _zip(tmp_path, {"scenarios/b.yaml": _story("b", image="nowhere")}))
    (found,) = outcome.items[0].findings
    assert (found.code, found.path, found.severity) == ("unknown_media", "image", "warning")
    assert found.line is not None


async def test_stories_can_be_published_at_once(tmp_path: Path) -> None:
    """On wish, and not by default."""
    shelves = await open_shelves()
    await _bring(shelves, _zip(tmp_path, {"scenarios/a.yaml": _story("a")}))
    await _bring(shelves, _zip(tmp_path, {"scenarios/b.yaml": _story("b")}), publish=True)
    a, b = await shelves.scenarios.get("a"), await shelves.scenarios.get("b")
    assert a is not None
    assert b is not None
    assert (a.value.is_active, b.value.is_active) == (False, True)


async def test_a_bundle_that_goes_out_comes_in_elsewhere_as_the_same(tmp_path: Path) -> None:
    """Stories, bundle and media, byte for byte; and the same content is the same zip."""
    here, there = await open_shelves(), await open_shelves()
    await _bring(here, _whole(tmp_path))
    first, second = fresh(tmp_path, ".zip"), fresh(tmp_path, ".zip")
    steps: list[tuple[int, int]] = []
    await export_bundle(here.library, "night", first, told=lambda done, total: steps.append((done, total)))
    await export_bundle(here.library, "night", second)
    assert first.read_bytes() == second.read_bytes()
    assert steps[-1] == (5, 5)
    outcome = await _bring(there, first)
    assert outcome.bundle_id == "night"
    assert {each.outcome for each in outcome.items} == {"created"}
    for key in ("one", "two"):
        one, other = await here.scenarios.get(key), await there.scenarios.get(key)
        assert one is not None
        assert other is not None
        assert is_same_story(one.value, other.value)
    bundles = await here.bundles.get("night"), await there.bundles.get("night")
    assert bundles[0] is not None
    assert bundles[1] is not None
    assert bundles[0].value.prices == bundles[1].value.prices
    media = await here.media.get("cover"), await there.media.get("cover")
    assert media[0] is not None
    assert media[1] is not None
    assert (media[0].value.sha256, media[0].value.tags) == (media[1].value.sha256, media[1].value.tags)


async def test_ids_that_an_older_system_let_in_leave_the_zip_in_order(tmp_path: Path) -> None:
    """Slashes, dots and capitals: every file has a name of its own that leads nowhere, and comes in again."""
    shelves = await open_shelves()
    keys = ["../up", "a/b", "a:b", "A_b", ".hidden"]
    for key in keys:
        made = review_document(story()).story
        assert made is not None
        content = msgspec.to_builtins(msgspec.structs.replace(made, id=key))
        await shelves.write(shelves.scenarios.kind, 0, content)
    bundle = {"id": "all", "createdAt": "2026-01-01T00:00:00Z", "title": "All", "scenarioIds": keys}
    await shelves.write(shelves.bundles.kind, 0, bundle)
    path = fresh(tmp_path, ".zip")
    await export_bundle(shelves.library, "all", path)
    names = [item.inner for item in Archive.open(path).items if item.sort == "scenario"]
    assert sorted(names) == ["A_b-3.yaml", "_up.yaml", "a_b-2.yaml", "a_b.yaml", "hidden.yaml"]


# -- zips that are not what they seem ------------------------------------------------------------------


def _odd(folder: Path, change: Any) -> Path:
    """A zip with one entry, whose directory somebody has worked on."""
    path = fresh(folder, ".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        info = zipfile.ZipInfo("scenarios/a.yaml")
        info.compress_type = zipfile.ZIP_DEFLATED
        data = change(info)
        zipped.writestr(info, b"x" if data is None else data)
    return path


def _read(path: Path) -> None:
    archive = Archive.open(path)
    for item in archive.items:
        archive.read(item)


def _refusal(path: Path) -> str:
    with pytest.raises(ArchiveError) as refused:
        _read(path)
    return refused.value.code


@pytest.mark.parametrize(
    "name",
    [
        "../a.yaml",
        "/etc/passwd",
        "scenarios/../../a.yaml",
        "C:/a.yaml",
        "scenarios\\..\\a.yaml",
        "a\x01b",
        "x" * 501,
    ],
)
def test_names_that_lead_out_refuse_the_bundle(tmp_path: Path, name: str) -> None:
    """Nothing is ever unpacked under its own name, and such a name is no accident."""
    assert _refusal(_zip(tmp_path, {name: b"x"})) == "path_escape"


def test_links_and_devices_refuse_the_bundle(tmp_path: Path) -> None:
    """A link could make a later item land anywhere."""
    for mode in (0o120777, 0o020666, 0o010666):
        assert (
            _refusal(_odd(tmp_path, lambda info, mode=mode: setattr(info, "external_attr", mode << 16)))
            == "link"
        )


def test_encrypted_and_unusual_zips_are_refused(tmp_path: Path) -> None:
    """What cannot be looked at is not taken."""
    path = _zip(tmp_path, {"scenarios/a.yaml": b"x"})
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 8] |= 1
    path.write_bytes(data)
    assert _refusal(path) == "encrypted"
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert (
            _refusal(_odd(tmp_path, lambda info, method=method: setattr(info, "compress_type", method)))
            == "not_a_zip"
        )


def test_what_grows_beyond_measure_is_refused(tmp_path: Path) -> None:
    """By what the directory says, and by what comes out where that was a lie."""
    honest = _zip(tmp_path, {"media/zeros.png": b"\0" * 8_000_000})
    assert _refusal(honest) == "too_large"
    lying = bytearray(honest.read_bytes())
    size = struct.pack("<I", 8_000_000)
    while (at := lying.find(size)) >= 0:
        lying[at : at + 4] = struct.pack("<I", 900_000)
    honest.write_bytes(lying)
    assert _refusal(honest) in ("too_large", "not_a_zip")


def test_too_many_items_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    """By their number, and by a directory too long to be read at all."""
    assert (
        _refusal(_zip(tmp_path, {f"scenarios/{n}.yaml": b"" for n in range(archives.MOST_ITEMS + 1)}))
        == "too_many"
    )
    long = _zip(tmp_path, {f"scenarios/{'x' * 400}{n}.yaml": b"" for n in range(5000)})
    assert _refusal(long) == "too_many"


def test_two_names_that_only_differ_in_case_are_refused(tmp_path: Path) -> None:
    """On some machines they are one file."""
    assert _refusal(_zip(tmp_path, {"media/a.png": PNG, "media/A.png": PNG})) == "duplicate"


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    """Text, nothing at all, half a zip."""
    for data in (b"title: x", b"", _zip(tmp_path, {"scenarios/a.yaml": b"x" * 1000}).read_bytes()[:-30]):
        path = fresh(tmp_path)
        path.write_bytes(data)
        assert _refusal(path) == "not_a_zip"


async def test_a_refused_bundle_writes_nothing(tmp_path: Path) -> None:
    """Neither does a broken manifest, which is judged before anything else."""
    shelves = await open_shelves()
    for files in (
        {"scenarios/a.yaml": _story("a"), "../b.yaml": b""},
        {"scenarios/a.yaml": _story("a"), "bundle.yaml": b"title: ''"},
    ):
        with pytest.raises(InvalidContentError) as refused:
            await _bring(shelves, _zip(tmp_path, files))
        assert refused.value.findings
        assert await shelves.scenarios.get("a") is None


_GOOD = io.BytesIO()
with zipfile.ZipFile(_GOOD, "w", zipfile.ZIP_DEFLATED) as _zipped:
    _zipped.writestr("scenarios/a.yaml", yaml.safe_dump(story()))
    _zipped.writestr("media/a.png", PNG)


@given(
    st.lists(st.tuples(st.integers(0, len(_GOOD.getvalue()) - 1), st.integers(0, 255)), max_size=8), st.data()
)
def test_no_damage_to_a_zip_is_more_than_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Bytes changed anywhere, and cut off anywhere, read or are refused in one way."""
    damaged = bytearray(_GOOD.getvalue())
    for at, value in changes:
        damaged[at] = value
    path = fresh(tmp_path_factory.getbasetemp())
    path.write_bytes(
        damaged[: data.draw(st.integers(0, len(damaged)))] if data.draw(st.booleans()) else damaged
    )
    with contextlib.suppress(ArchiveError), contextlib.closing(Archive.open(path)) as archive:
        for item in archive.items:
            archive.extract(item, fresh(tmp_path_factory.getbasetemp()))


@given(st.binary(max_size=200))
def test_no_bytes_of_a_manifest_raise_anything(data: bytes) -> None:
    """They are told of like those of a story."""
    review = read_manifest(data)
    assert (review.manifest is None) == any(each.is_error for each in review.findings)
