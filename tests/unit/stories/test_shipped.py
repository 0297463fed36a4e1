"""What is shipped is whole: sound files, stories for every age, and a picture for whatever names one."""

import re
import statistics
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mystira.cli.content_files import SHIPPED, find_files, judge, read_vocabulary
from mystira.cli.shipped import (
    AVATARS,
    BADGES,
    BUNDLES,
    DEFINITIONS,
    MEDIA,
    ROOT,
    SCENARIOS,
    read_avatars,
    read_badge_files,
    read_bundle_files,
)
from mystira.domain.badges.model import TIERS
from mystira.domain.bundles.manifest import read_manifest
from mystira.domain.media.sniffing import PNG, identify, measure
from mystira.domain.scenarios.story_form import AGE_GROUPS
from mystira.domain.scenarios.vocabulary import media_of
from tests.unit.stories.plays import STORIES

DRAWINGS = sorted(MEDIA.glob("*.svg"))
LONGEST = {"1-2": 20, "3-5": 45, "6-9": 60, "10-12": 70, "13-18": 80, "19-150": 80}
"""Words of a scene at most: what is read aloud in one breath, and then in two."""
TYPICAL = {"1-2": 12, "3-5": 32, "6-9": 40, "10-12": 45, "13-18": 50, "19-150": 50}


HARDEST = {"1-2": 6, "3-5": 9, "6-9": 13, "10-12": 13, "13-18": 15, "19-150": 15}
"""Difficulties at most."""


def _files() -> list[Path]:
    folders = (DEFINITIONS, BADGES, BUNDLES, SCENARIOS)
    return [path for folder in folders for path in sorted(folder.glob("*.yaml"))]


@pytest.mark.parametrize("path", _files(), ids=lambda path: path.stem)
def test_every_file_is_sound_and_nothing_in_it_unusual(path: Path) -> None:
    """By the checks that authors' files go through, and by the words that are shipped."""
    vocabulary = read_vocabulary(SHIPPED)
    if path.parent == BUNDLES:
        assert read_manifest(path.read_bytes(), name=path.name).findings == ()
        return
    (file,) = find_files([path])
    judged, _ = judge(file, vocabulary)
    assert judged.findings == ()


def test_there_are_stories_for_every_age() -> None:
    """At least eight, each of twelve scenes or more, and every age group has its own."""
    assert len(STORIES) >= 8
    assert {story.age_group for story in STORIES.values()} == set(AGE_GROUPS)
    assert min(len(story.scenes) for story in STORIES.values()) >= 12


@pytest.mark.parametrize("name", sorted(STORIES))
def test_every_story_has_all_that_a_story_can_have(name: str) -> None:
    """Choices, rolls, echoes, reveals, movements, several characters, one of whom holds a scene at least."""
    story = STORIES[name]
    branches = [branch for scene in story.scenes for branch in scene.branches]
    assert {"choice", "roll", "special"} <= {scene.type for scene in story.scenes}
    assert any(branch.echo_log for branch in branches)
    assert any(scene.echo_reveals for scene in story.scenes)
    assert len({branch.compass_change.axis for branch in branches if branch.compass_change}) >= 3
    assert len(story.characters) >= 2
    assert any(scene.active_character for scene in story.scenes)
    assert {branch.compass_change.axis for branch in branches if branch.compass_change} <= set(
        story.core_axes
    )


@pytest.mark.parametrize("name", sorted(STORIES))
def test_scenes_are_as_long_as_their_readers_have_patience(name: str) -> None:
    """Few words for the youngest, and nowhere a wall of text."""
    story = STORIES[name]
    words = [len(scene.description.split()) for scene in story.scenes]
    assert max(words) <= LONGEST[story.age_group]
    assert statistics.median(words) <= TYPICAL[story.age_group]


@pytest.mark.parametrize("name", sorted(STORIES))
def test_rolls_are_fair_for_their_age(name: str) -> None:
    """Three throws of four succeed for the smallest; later dice may well decide against one."""
    story = STORIES[name]
    rolls = [scene for scene in story.scenes if scene.type == "roll"]
    assert all(2 <= (scene.difficulty or 0) <= HARDEST[story.age_group] for scene in rolls)


def test_every_picture_that_is_named_is_there() -> None:
    """By stories, characters, badges, avatars and bundles; and none is there that nobody names."""
    named = {word for story in STORIES.values() for word, _ in media_of(story)}
    named |= {badge.image_id for file in read_badge_files(BADGES) for badge in file.badge_set.badges}
    named |= {media for avatars in read_avatars() for media in avatars.media}
    for path in BUNDLES.glob("*.yaml"):
        manifest = read_manifest(path.read_bytes()).manifest
        assert manifest is not None
        assert manifest.bundle.image_id is not None
        named.add(manifest.bundle.image_id)
    assert named == {path.stem for path in DRAWINGS} == {path.stem for path in MEDIA.glob("*.png")}


@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda path: path.stem)
def test_drawings_are_small_plain_and_rendered(drawing: Path) -> None:
    """XML with a title for those who do not see it, nothing from elsewhere, nothing that runs; and the PNG
    beside it has its size.
    """
    root = ElementTree.fromstring(drawing.read_text(encoding="utf-8"))
    space = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{space}svg"
    assert (root.findtext(f"{space}title") or "").strip()
    allowed = {"svg", "title", "g", "path", "circle", "ellipse", "rect", "polygon"}
    allowed |= {"clipPath", "linearGradient", "stop"}
    assert {each.tag.removeprefix(space) for each in root.iter()} <= allowed
    words = [word for each in root.iter() for pair in each.attrib.items() for word in pair]
    assert not [word for word in words if word.startswith("on") or re.search(r"href|url\((?!#)", word)]
    assert drawing.stat().st_size < 20_000
    rendered = drawing.with_suffix(".png").read_bytes()
    assert identify(rendered) is PNG
    size = {"width": int(root.attrib["width"]), "height": int(root.attrib["height"])}
    assert measure(rendered, PNG) == size
    assert root.attrib["viewBox"] == f"0 0 {size['width']} {size['height']}"
    assert len(rendered) < 150_000


def test_every_story_is_in_one_bundle_and_one_bundle_is_free() -> None:
    """The free one holds four stories at least, of as many ages; the others cost something."""
    held = [path for bundle in read_bundle_files() for path in bundle.stories]
    assert sorted(held) == sorted(SCENARIOS.glob("*.yaml"))
    manifests = [read_manifest(path.read_bytes()).manifest for path in sorted(BUNDLES.glob("*.yaml"))]
    free = [each for each in manifests if each is not None and each.bundle.is_free]
    assert len(free) == 1
    stories = [STORIES[key] for key in free[0].scenarios or ()]
    assert len({story.age_group for story in stories}) >= 4
    sold = [each.bundle for each in manifests if each is not None and not each.bundle.is_free]
    assert len(sold) >= 2
    assert all(float(price.value) > 0 for bundle in sold for price in bundle.prices)
    assert all(bundle.prices for bundle in sold)


def test_every_age_has_its_avatars_and_badges() -> None:
    """Five tiers on each axis of a set, from bronze to diamond; and faces to choose from."""
    assert {avatars.age_group for avatars in read_avatars()} == set(AGE_GROUPS)
    assert all(len(avatars.media) >= 4 for avatars in read_avatars())
    files = read_badge_files(BADGES)
    assert {file.badge_set.age_group for file in files} == set(AGE_GROUPS)
    for file in files:
        tiers: dict[str, list[str]] = {}
        for badge in file.badge_set.badges:
            tiers.setdefault(badge.axis, []).append(badge.tier)
        assert all(tuple(each) == TIERS for each in tiers.values())


def test_nothing_is_said_twice() -> None:
    """No two scenes of any stories have the same text, and no two badges of one age the same words."""
    texts = [scene.description for story in STORIES.values() for scene in story.scenes]
    assert len(texts) == len(set(texts))
    for file in read_badge_files(BADGES):
        badges = file.badge_set.badges
        assert len({badge.title for badge in badges}) == len(badges)
        assert len({badge.description for badge in badges}) == len(badges)


def test_nothing_else_lies_about() -> None:
    """What is shipped is what is brought in, and the page about the pictures."""
    known = {*_files(), AVATARS, *MEDIA.glob("*.svg"), *MEDIA.glob("*.png"), MEDIA / "README.md"}
    assert {path for path in ROOT.rglob("*") if path.is_file()} == known
