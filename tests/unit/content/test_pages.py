"""What the pages about stories say is what the code says."""

import re
from pathlib import Path

from mystira.cli.content import BEGINNING
from mystira.cli.content_files import SHIPPED, read_vocabulary
from mystira.domain.scenarios.picture import draw_story
from mystira.domain.scenarios.reading import review_file
from mystira.domain.scenarios.use_cases import create_story
from tests.documents import ROOT, inline_code
from tests.unit.content.shelves import open_shelves

PAGE = ROOT / "docs" / "explanation" / "stories.md"
_TOLD = re.compile(
    r"\b(?:error|warning|UnreadableError|ArchiveError|_said|_broken|Finding)\(\s*"
    r'(?:severity=\w+(?:\.\w+)?,\s*|severity="\w+",\s*)?(?:code=)?f?"([a-z_0-9{}]+)"'
)


def _codes() -> set[str]:
    """Every code of a finding, from the sources."""
    folders = ("files", "scenarios", "definitions", "badges", "bundles", "media")
    sources = [path for folder in folders for path in (ROOT / "src/mystira/domain" / folder).glob("*.py")]
    found = {code for path in sources for code in _TOLD.findall(path.read_text(encoding="utf-8"))}
    return {code for code in found if "{" not in code}


def test_every_code_of_a_finding_is_explained() -> None:
    """And the page explains none that does not exist."""
    explained = {
        code
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
        for code in re.findall(r"`([a-z_0-9]+)`", line.split("|")[1])
    }
    made_of_parts = {"duplicate_scene", "duplicate_character", "own_axis", "own_archetype", "own_echo_type"}
    elsewhere = {"unknown_media", "media_too_large", "more"}
    assert _codes() - explained == set()
    assert explained - _codes() - made_of_parts - elsewhere == set()
    assert len(explained) > 50


async def test_the_story_to_begin_with_is_one_to_learn_from() -> None:
    """Nothing about it is broken or unusual, and it comes in as it stands."""
    vocabulary = read_vocabulary(SHIPPED if SHIPPED.is_dir() else None)
    review = review_file(BEGINNING.read_bytes(), name=BEGINNING.name, vocabulary=vocabulary)
    assert review.findings == ()
    shelves = await open_shelves()
    stored = await create_story(shelves.scenarios, review, clock=shelves.clock)
    assert stored.key == "the-kite-in-the-pear-tree"
    kinds = {scene.type for scene in stored.value.scenes}
    assert kinds == {"narrative", "choice", "roll", "special"}
    assert any(scene.echo_reveals for scene in stored.value.scenes)


def test_the_picture_that_is_shown_is_the_one_that_is_drawn() -> None:
    """If not: draw it again with `mystira content map`."""
    story = review_file(BEGINNING.read_bytes(), name=BEGINNING.name).story
    assert story is not None
    shown = ROOT / "docs" / "pictures" / "story-map.svg"
    assert shown.read_text(encoding="utf-8") == draw_story(story)


def test_pages_name_the_files_that_are_there() -> None:
    """The page about writing stories shows the very file that the command writes."""
    page = ROOT / "docs" / "how-to" / "write-a-story.md"
    assert BEGINNING.read_text(encoding="utf-8") in page.read_text(encoding="utf-8")
    assert Path("mystira/cli/beginning.yaml") == BEGINNING.relative_to(ROOT / "src")
    assert inline_code(page)
