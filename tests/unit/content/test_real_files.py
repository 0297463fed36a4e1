"""Files of the former system, where they are at hand: they lie beside the project, never in it."""

import json
from pathlib import Path
from typing import Any

import pytest

from mystira.domain.badges.reading import read_badge_set, write_badge_set
from mystira.domain.definitions.reading import read_definitions
from mystira.domain.scenarios import story_form
from mystira.domain.scenarios.reading import review_file
from tests.documents import ROOT

DATA = ROOT.parent / "shared" / "data"
REFERENCE, STORIES = DATA / "reference", DATA / "stories"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no files of the former system are at hand")


def _codes(name: str, severity: str) -> set[str]:
    review = review_file((STORIES / name).read_bytes(), name=name)
    return {each.code for each in review.findings if each.severity == severity}


@pytest.mark.parametrize("name", ["minimal.yaml", "small.yaml"])
def test_stories_that_were_only_begun_lack_texts_alone(name: str) -> None:
    """Their scenes hang together; what is empty although the schema asks for text is an error."""
    assert _codes(name, "error") == {"empty"}
    assert _codes(name, "warning") <= {"quiet_end", "byte_order_mark"}


def test_a_story_with_half_its_keys_is_told_of_each() -> None:
    """Everything that is missing, at once, each with the line where it should be."""
    review = review_file((STORIES / "invalid.yaml").read_bytes(), name="invalid.yaml")
    missing = {each.path for each in review.errors if each.code == "missing"}
    assert {"description", "tags", "age_group", "characters[0].metadata", "scenes[0].title"} <= missing
    assert all(each.line is not None for each in review.findings)


def test_characters_without_metadata_are_read_all_the_same() -> None:
    """Of the story whose characters are flat, only what lies in its scenes is broken."""
    review = review_file((STORIES / "flat-characters.yaml").read_bytes(), name="flat-characters.yaml")
    assert all(each.path.startswith("scenes") for each in review.errors)
    assert review.draft is not None
    assert [each.metadata.species for each in review.draft.characters] == ["human", "rabbit", "fairy"]


@pytest.mark.parametrize(
    ("name", "sort", "count"),
    [
        ("CoreAxes.json", "axes", 2),
        ("Archetypes.json", "archetypes", 4),
        ("EchoTypes.json", "echo-types", 114),
        ("FantasyThemes.json", "themes", 10),
        ("AgeGroups.json", "age-groups", 6),
    ],
)
def test_lists_of_definitions_are_read_whole(name: str, sort: Any, count: int) -> None:
    """Both forms, without a doubt about any entry."""
    read = read_definitions((REFERENCE / name).read_bytes(), name=name)
    assert read.findings == ()
    assert list(read.read) == [sort]
    assert len(read.read[sort]) == len(json.loads((REFERENCE / name).read_text())) == count


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("badges-*.json")), ids=lambda path: path.name)
def test_badge_sets_are_read_and_written_as_they_are(path: Path) -> None:
    """What is written says the same, key by key."""
    review = read_badge_set(path.read_bytes(), name=path.name)
    assert review.findings == ()
    assert review.badge_set is not None
    assert json.loads(write_badge_set(review.badge_set)) == json.loads(path.read_text())


def test_our_form_of_a_story_says_what_the_schema_says() -> None:
    """Every key of the schema is one of ours, and is required in both or in neither."""
    schema = json.loads((STORIES / "story-schema.json").read_text())
    _compare(schema, story_form.STORY, added={"id"})
    person = schema["properties"]["characters"]["items"]
    _compare(person, story_form.CHARACTER, loosened={"id"})
    _compare(person["properties"]["metadata"], story_form.METADATA)
    scene = schema["properties"]["scenes"]["items"]
    _compare(scene, story_form.SCENE, added={"active_character"})
    _compare(scene["properties"]["branches"]["items"], story_form.BRANCH)


def _compare(
    schema: Any,
    group: Any,
    added: frozenset[str] | set[str] = frozenset(),
    loosened: frozenset[str] | set[str] = frozenset(),
) -> None:
    ours = {field.key: field.required for field in group.fields}
    theirs = {key: key in schema.get("required", ()) for key in schema["properties"]}
    assert {key: need for key, need in ours.items() if key not in added} == {
        key: need and key not in loosened for key, need in theirs.items()
    }
