"""Every rule that makes a story sound: kept by the sound story, and broken in one place each."""

from typing import Any

import pytest

from mystira.domain.scenarios.reading import review_document
from mystira.domain.scenarios.vocabulary import Vocabulary
from tests.unit.content.stories import codes, judged, scene, story

Found = tuple[str, str, str]


def _scenes(*more: Any) -> Any:
    return story(scenes=[*story()["scenes"], *more])


def _narrative(name: str, following: str | None) -> Any:
    return {"id": name, "title": "t", "type": "narrative", "description": "d", "next_scene": following}


def _branches(*targets: str) -> list[Any]:
    return [{"choice": f"to {n}", "next_scene": target} for n, target in enumerate(targets)]


def test_the_sound_story_is_sound() -> None:
    """So whatever the other tests find comes from their one change."""
    review = review_document(story())
    assert review.findings == ()
    assert review.story is not None
    assert review.story.first_scene.id == "gate"


@pytest.mark.parametrize(
    ("document", "code", "path"),
    [
        (_scenes(_narrative("home", None)), "duplicate_scene", "scenes[4].id"),
        (story(characters=story()["characters"] * 2), "duplicate_character", "characters[1].id"),
        (scene("gate", next_scene="frok"), "unknown_scene", "scenes[0].next_scene"),
        (
            scene("fork", branches=_branches("home", "climb", "x")),
            "unknown_scene",
            "scenes[1].branches[2].next_scene",
        ),
        (scene("fork", active_character="nobody"), "unknown_character", "scenes[1].active_character"),
        (
            scene("climb", echo_reveals=[{"echo_type": "calm", "min_strength": 0, "trigger_scene_id": "x"}]),
            "unknown_trigger",
            "scenes[2].echo_reveals[0].trigger_scene_id",
        ),
        (_scenes(_narrative("cellar", "home")), "several_roots", "scenes[4]"),
        (_scenes(_narrative("a", "b"), _narrative("b", "a")), "unreachable", "scenes[5]"),
        (scene("home", type="narrative", next_scene="gate"), "endless", "scenes[0]"),
        (_scenes(_narrative("a", "b"), _narrative("b", "a")), "endless", "scenes[4]"),
        (scene("fork", branches=[]), "no_branches", "scenes[1]"),
        (scene("fork", branches=...), "no_branches", "scenes[1]"),
        (scene("climb", branches=_branches("home")), "no_branches", "scenes[2].branches"),
        (scene("climb", difficulty=...), "no_difficulty", "scenes[2].difficulty"),
        (scene("climb", difficulty=21), "out_of_range", "scenes[2].difficulty"),
        (scene("climb", difficulty=0.5), "out_of_range", "scenes[2].difficulty"),
        (story(age_group="3-5"), "ages_disagree", "minimum_age"),
        (story(minimum_age=7), "ages_disagree", "minimum_age"),
        (story(age_group="7-8"), "unknown_word", "age_group"),
        (story(minimum_age=-1), "out_of_range", "minimum_age"),
        (story(minimum_age="six"), "wrong_type", "minimum_age"),
        (story(difficulty="Impossible"), "unknown_word", "difficulty"),
        (scene("gate", type="dance"), "unknown_word", "scenes[0].type"),
        (story(title=""), "empty", "title"),
        (story(title="x" * 201), "too_long", "title"),
        (story(tags=[]), "empty", "tags"),
        (story(scenes=[]), "empty", "scenes"),
        (story(scenes=["x"]), "wrong_type", "scenes[0]"),
        (story(scenes="x"), "wrong_type", "scenes"),
    ],
)
def test_what_is_broken_is_an_error(document: Any, code: str, path: str) -> None:
    """Each rule, broken once, keeps the story out and names the place."""
    assert ("error", code, path) in judged(document)


@pytest.mark.parametrize("key", [key for key in story() if key not in ("id",)])
def test_what_the_schema_asks_for_must_be_there(key: str) -> None:
    """Each key of a story that the schema requires is missed, and nothing else is told but what follows."""
    assert ("error", "missing", key) in judged(story(**{key: ...}))


@pytest.mark.parametrize("key", ["id", "title", "type", "description"])
def test_what_a_scene_needs_must_be_there(key: str) -> None:
    """So is each of a scene's."""
    assert ("error", "missing", f"scenes[0].{key}") in judged(scene("gate", **{key: ...}))


@pytest.mark.parametrize("key", ["name", "metadata"])
def test_what_a_character_needs_must_be_there(key: str) -> None:
    """And of a character's, whose id alone can be made."""
    person = {k: v for k, v in story()["characters"][0].items() if k != key}
    assert ("error", "missing", f"characters[0].{key}") in judged(story(characters=[person]))


@pytest.mark.parametrize("key", ["role", "archetype", "species", "age", "traits", "backstory"])
def test_what_characters_are_like_must_be_there(key: str) -> None:
    """And of what a character is like."""
    person = story()["characters"][0]
    del person["metadata"][key]
    assert ("error", "missing", f"characters[0].metadata.{key}") in judged(story(characters=[person]))


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("echo_log", {"strength": [1.01, -1.01, "x"], "echo_type": ["", None], "description": ["", None]}),
        ("compass_change", {"delta": [1.01, -1.01, None, True], "axis": ["", None]}),
    ],
)
def test_what_a_choice_leaves_is_within_bounds(part: str, values: dict[str, list[Any]]) -> None:
    """Deltas and strengths lie from -1 to 1, and neither these nor their names may be missing."""
    for key, wrong in values.items():
        for value in wrong:
            document = story()
            document["scenes"][1]["branches"][0][part][key] = value
            paths = {path for severity, _, path in judged(document) if severity == "error"}
            assert paths == {f"scenes[1].branches[0].{part}.{key}"}
        document = story()
        del document["scenes"][1]["branches"][0][part][key]
        assert ("error", "missing", f"scenes[1].branches[0].{part}.{key}") in judged(document)


@pytest.mark.parametrize("value", [1, -1, 0])
def test_bounds_themselves_are_within(value: int) -> None:
    """Both ends belong to the range."""
    document = story()
    branch = document["scenes"][1]["branches"][0]
    branch["echo_log"]["strength"] = branch["compass_change"]["delta"] = value
    assert judged(document) == set()


@pytest.mark.parametrize(
    ("document", "code", "path"),
    [
        (scene("home", type="narrative", next_scene="gate") | {}, "no_root", "scenes[0]"),
        (scene("gate", type="special"), "special_goes_on", "scenes[0].next_scene"),
        (
            scene("gate", branches=_branches("fork"), next_scene=...),
            "unexpected_branches",
            "scenes[0].branches",
        ),
        (scene("fork", next_scene="home"), "unused_next_scene", "scenes[1].next_scene"),
        (
            scene("climb", branches=_branches("home", "fork", "home")),
            "unused_branches",
            "scenes[2].branches[2]",
        ),
        (
            scene(
                "fork",
                branches=[{"choice": "x", "next_scene": "home"}, {"choice": "x", "next_scene": "climb"}],
            ),
            "same_choice",
            "scenes[1].branches[1].choice",
        ),
        (story(minimum_age=5), "unusual_age", "minimum_age"),
        (story(core_axes=["Courage"]), "axis_not_core", "scenes[1].branches[0].compass_change.axis"),
        (
            scene("climb", echo_reveals=[{"echo_type": "x", "min_strength": 0, "trigger_scene_id": "home"}]),
            "idle_reveal",
            "scenes[2].echo_reveals[0].echo_type",
        ),
        (
            scene(
                "climb", echo_reveals=[{"echo_type": "calm", "min_strength": 3, "trigger_scene_id": "home"}]
            ),
            "out_of_range",
            "scenes[2].echo_reveals[0].min_strength",
        ),
    ],
)
def test_what_is_only_unusual_is_a_warning(document: Any, code: str, path: str) -> None:
    """It is told of, and does not keep the story out by itself."""
    assert ("warning", code, path) in judged(document)


def test_a_loop_with_a_way_out_is_no_fault() -> None:
    """Who slips comes back to the fork, as often as it happens; the story can end all the same."""
    assert judged(scene("climb", branches=_branches("home", "climb"))) == set()


def test_each_loop_without_a_way_out_is_told_of_once() -> None:
    """Not once for each scene in it, and two loops are two findings."""
    loops = [_narrative("a", "b"), _narrative("b", "a"), _narrative("c", "d"), _narrative("d", "c")]
    document = scene("fork", branches=_branches("climb", "a", "c"))
    document["scenes"] += loops
    assert judged(document) == {
        ("error", "endless", "scenes[4]"),
        ("error", "endless", "scenes[6]"),
        ("warning", "idle_reveal", "scenes[2].echo_reveals[0].echo_type"),
    }


def test_a_wrong_target_is_one_finding_and_no_more() -> None:
    """Where a scene leads nobody knows then, so neither an end nor a loop is read out of it."""
    assert judged(scene("climb", branches=_branches("hme", "fork"))) == {
        ("error", "unknown_scene", "scenes[2].branches[0].next_scene")
    }


def test_the_third_branch_of_a_roll_leads_nowhere() -> None:
    """What only that could reach is never reached."""
    document = scene("climb", branches=_branches("home", "fork", "attic"))
    document["scenes"].append(_narrative("attic", None))
    assert ("error", "unreachable", "scenes[4]") in judged(document)


def test_what_could_not_be_read_is_told_of_once() -> None:
    """A difficulty that is no number is not missing as well."""
    assert judged(scene("climb", difficulty="Easy")) == {("error", "wrong_type", "scenes[2].difficulty")}


def test_words_that_a_story_brings_along_are_told_of_once_each() -> None:
    """With definitions at hand, a word that they do not have is a warning where it stands first."""
    known = Vocabulary(
        axes=frozenset({"patience"}), archetypes=frozenset({"seeker"}), echo_types=frozenset({"calm"})
    )
    assert codes(review_document(story(), vocabulary=known)) == {
        ("warning", "own_axis", "core_axes[0]"),
        ("warning", "own_archetype", "archetypes[0]"),
    }
    review = review_document(story(), vocabulary=known)
    assert review.is_sound
    assert any("'patience', which is known here" in each.message for each in review.findings)


def test_a_misspelt_name_is_guessed() -> None:
    """The nearest scene, character or key is offered."""
    for document, meant in (
        (scene("gate", next_scene="forkk"), "'fork'"),
        (scene("fork", active_character="marra"), "'mara'"),
        (story(descripton="x"), "'description'"),
    ):
        assert any(f"perhaps {meant} is meant" in each.message for each in review_document(document).findings)


def test_all_problems_are_told_at_once() -> None:
    """One reading finds what is wrong with the form and what is wrong with the story."""
    document = scene("fork", branches=_branches("nowhere"), title="")
    del document["tags"]
    document["minimum_age"] = "old"
    found = {(code, path) for severity, code, path in judged(document) if severity == "error"}
    assert found == {
        ("missing", "tags"),
        ("wrong_type", "minimum_age"),
        ("empty", "scenes[1].title"),
        ("unknown_scene", "scenes[1].branches[0].next_scene"),
        ("several_roots", "scenes[2]"),
    }


def test_what_only_a_second_beginning_reaches_is_told_of_by_that_beginning() -> None:
    """Of a whole part that hangs loose its first scene is named, and not each that follows."""
    document = _scenes(_narrative("a", "b"), _narrative("b", "c"), _narrative("c", None))
    assert judged(document) == {("error", "several_roots", "scenes[4]")}
