"""What goes out comes in again as the same story."""

import string
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mystira.domain.records import UNDATED
from mystira.domain.scenarios.model import (
    Branch,
    Character,
    CharacterMetadata,
    CompassChange,
    EchoLog,
    EchoReveal,
    Scenario,
    Scene,
    SceneMedia,
)
from mystira.domain.scenarios.reading import review_document, review_file, review_scenario
from mystira.domain.scenarios.story_form import AGE_GROUPS, REVEAL_MECHANICS
from mystira.domain.scenarios.writing import Form, document_of, write_story
from tests.unit.content.stories import story

_LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Cn"]) | st.sampled_from("\n\t:#-?[]{}&*!|>'\"%@`, ")


def _text(most: int) -> st.SearchStrategy[str]:
    """Text as the reader leaves it: with something in it, and no white space around it."""
    traps = st.sampled_from(
        ["no", "~", "null", "1e3", ".5", "2024-05-01", "6-9", "= x", "- a", "a: b", "true", "0x1"]
    )
    return (st.text(_LETTERS, min_size=1, max_size=most).map(str.strip) | traps).filter(bool)


_WORDS = st.lists(_text(12), min_size=1, max_size=3)
_NUMBER = st.floats(-1, 1, allow_subnormal=False).map(lambda n: round(n, 4))
_MAYBE = st.none() | _text(20)


def _one_of(form: Any, **values: Any) -> st.SearchStrategy[Any]:
    return st.builds(form, **values)


_CHARACTERS = _one_of(
    Character,
    id=st.just("c"),
    name=_text(10),
    image=_MAYBE,
    audio=_MAYBE,
    metadata=_one_of(
        CharacterMetadata,
        role=_WORDS,
        archetype=st.lists(_text(8), max_size=2),
        species=_text(8),
        age=st.integers(1, 900),
        traits=_WORDS,
        backstory=_text(40),
    ),
)
_ECHO = _one_of(EchoLog, echo_type=_text(8), description=_text(20), strength=_NUMBER)
_CHANGE = _one_of(CompassChange, axis=_text(8), delta=_NUMBER, developmental_link=_MAYBE)
_REVEAL = _one_of(
    EchoReveal,
    echo_type=_text(8),
    min_strength=_NUMBER,
    trigger_scene_id=st.just("s0"),
    max_age_scenes=st.integers(0, 50),
    reveal_mechanic=st.sampled_from(REVEAL_MECHANICS),
    required=st.booleans(),
)
_MUSIC = st.none() | st.fixed_dictionaries({"profile": st.just("cozy"), "energy": st.floats(0, 1)})
_SOUND = st.fixed_dictionaries(
    {"track": st.just("rain"), "loopable": st.booleans(), "energy": st.floats(0, 1)}
)
_PALETTE = st.none() | st.just({"default_profile": "cozy", "tracks_by_profile": {"cozy": ["a", "b"]}})


@st.composite
def _scenes(draw: st.DrawFn) -> list[Scene]:
    """A chain of scenes of every type, each of which may also leap ahead; so every way ends."""
    count = draw(st.integers(1, 5))
    scenes = []
    for n in range(count):
        ahead = [f"s{m}" for m in range(n + 1, count)]
        kind = draw(st.sampled_from(["narrative", "choice", "roll"])) if ahead else "special"
        branches = []
        if kind in ("choice", "roll"):
            targets = [ahead[0], draw(st.sampled_from(ahead))]
            branches = [
                Branch(
                    choice=draw(_text(20)),
                    next_scene=target,
                    echo_log=draw(st.none() | _ECHO),
                    compass_change=draw(st.none() | _CHANGE),
                )
                for target in targets
            ]
        media = draw(st.none() | st.builds(SceneMedia, image=_text(8), audio=_MAYBE, video=_MAYBE))
        scenes.append(
            Scene(
                id=f"s{n}",
                title=draw(_text(20)),
                type=kind,  # type: ignore[arg-type]
                description=draw(_text(60)),
                next_scene=ahead[0] if kind == "narrative" else None,
                difficulty=draw(st.integers(1, 20)) if kind == "roll" else None,
                media=media,
                music=draw(_MUSIC),
                sound_effects=draw(st.lists(_SOUND, max_size=1)),
                active_character=draw(st.sampled_from([None, "c"])),
                branches=branches,
                echo_reveals=draw(st.lists(_REVEAL, max_size=2)),
            )
        )
    return scenes


STORIES = _one_of(
    Scenario,
    id=st.text(string.ascii_lowercase + "-._~:", min_size=1, max_size=12).map(lambda text: f"s{text}"),
    created_at=st.just(UNDATED),
    updated_at=st.none(),
    title=_text(40).filter(lambda text: "\n" not in text),
    description=_text(200),
    tags=_WORDS,
    difficulty=st.sampled_from(["Easy", "Medium", "Hard"]),
    session_length=st.sampled_from(["Short", "Medium", "Long"]),
    archetypes=_WORDS,
    age_group=st.sampled_from(AGE_GROUPS),
    minimum_age=st.just(1),
    core_axes=_WORDS,
    characters=st.lists(_CHARACTERS, min_size=1, max_size=1),
    scenes=_scenes(),
    is_active=st.just(False),
    is_featured=st.just(False),
    image=_MAYBE,
    music_palette=_PALETTE,
    ip_asset=st.none(),
)


@given(STORIES, st.sampled_from(["yaml", "json"]))
def test_a_story_that_goes_out_comes_in_as_it_was(made: Scenario, form: Form) -> None:
    """In both forms, whatever its texts are, without an error and without a doubt about what is text."""
    written = write_story(made, form)
    review = review_file(written, name=f"story.{form}")
    assert review.story == made, written.decode()
    assert not [each for each in review.findings if each.code in ("not_in_quotes", "spelling", "unknown_key")]


@given(STORIES)
def test_a_stored_story_is_judged_as_its_file_would_be(made: Scenario) -> None:
    """The same findings, but for lines."""
    stored, read = review_scenario(made), review_file(write_story(made), name="story.yaml")
    assert stored.story == read.story
    assert {(each.code, each.path) for each in stored.findings} == {
        (each.code, each.path) for each in read.findings
    }


@given(STORIES)
def test_what_is_read_was_stored_in_the_same_form(made: Scenario) -> None:
    """A story survives the way through a store: JSON by the names of the documents."""
    content = msgspec.to_builtins(made)
    assert msgspec.convert(content, Scenario) == made


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_what_is_written_reads_well(form: Form) -> None:
    """Keys in the order of the schema, text of several lines as a block, and an end that says so."""
    made = review_document(story(description="First line.\nSecond line.")).story
    assert made is not None
    text = write_story(made, form).decode()
    assert text.index("title") < text.index("characters") < text.index("scenes")
    if form == "yaml":
        assert "description: |-\n  First line.\n  Second line.\n" in text
        assert "next_scene: null" in text
        assert "\n  - id: gate\n    title: At the gate\n" in text
        assert "&" not in text


def test_what_is_left_out_stays_out() -> None:
    """No empty keys are written, but for the next scene of an end."""
    made = review_document(story()).story
    assert made is not None
    document = document_of(made)
    assert document == story(id="the-lantern-on-the-hill") | {
        "scenes": document["scenes"],
        "characters": story()["characters"],
    }
    assert list(document["scenes"][0]) == [
        "id",
        "title",
        "type",
        "description",
        "next_scene",
    ]
