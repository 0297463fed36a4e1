"""Stories as pictures and as outlines: complete, readable, and drawn whatever their faults."""

import itertools
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mystira.domain.records import UNDATED
from mystira.domain.scenarios.layout import KNOT, lay_out
from mystira.domain.scenarios.model import Branch, Scenario, Scene
from mystira.domain.scenarios.outline import outline
from mystira.domain.scenarios.picture import draw_story
from mystira.domain.scenarios.reading import review_document
from tests.unit.content.stories import scene, story


def _draft(document: Any) -> Scenario:
    draft = review_document(document).draft
    assert draft is not None
    return draft


def _story(links: dict[str, list[str]]) -> Scenario:
    """A story of which only the ways are of interest."""
    scenes = [
        Scene(
            id=name,
            title=name,
            type="choice",
            description="d",
            branches=[Branch(choice=f"to {target}", next_scene=target) for target in targets],
        )
        for name, targets in links.items()
    ]
    return Scenario(id="x", created_at=UNDATED, title="X", scenes=scenes)


LINKS = st.dictionaries(
    st.sampled_from("abcdefghij"), st.lists(st.sampled_from("abcdefghijx"), max_size=4), max_size=10
)


@given(LINKS)
def test_every_scene_has_one_place_and_stands_below_what_leads_to_it(links: dict[str, list[str]]) -> None:
    """But for ways that lead back; knots stand in every layer that a way passes, whatever the ways are."""
    layout = lay_out(_story(links))
    depth = {name: at for at, layer in enumerate(layout.layers) for name in layer}
    scenes = [name for layer in layout.layers for name in layer if not name.startswith(KNOT)]
    assert sorted(scenes) == sorted(links)
    for name, targets in links.items():
        for target in set(targets) & set(links):
            passed = [depth[knot] for knot in layout.knots.get((name, target), [])]
            if (name, target) in layout.back:
                assert depth[target] <= depth[name]
                assert passed == []
            else:
                assert passed == list(range(depth[name] + 1, depth[target]))


@given(LINKS)
def test_every_story_can_be_drawn_and_told(links: dict[str, list[str]]) -> None:
    """Sound or not: a picture that is well-formed, an outline that names each scene once in full."""
    made = _story(links)
    picture = ElementTree.fromstring(draw_story(made, {"a"}))
    drawn = [each for each in picture.iter() if "box" in each.get("class", "").split()]
    ways = [each for each in picture.iter() if "way" in each.get("class", "").split()]
    assert len(drawn) == len(links)
    assert len(ways) == sum(target in links for targets in links.values() for target in targets)
    lines = list(outline(made))
    assert sorted(re.findall(r"(\w): \w \[", "\n".join(lines))) == sorted(links)


def test_what_is_drawn_is_the_story() -> None:
    """What choices bring stands at the lines, rolls and ends at the boxes; the faulty stands out."""
    text = draw_story(_draft(story()), {"climb"})
    for said in (
        "The fork: Wait for the moon · Patience +0.25 · echo: calm +0.5",
        "The climb: Up · at least 12",
        "The climb: Slip · below 12",
        "d20 ≥ 12 · climb",
        'class="box roll fault"',
        'class="box special end"',
        'class="way back"',
        "4 scenes, 4 branches, 1 ends; ages 6-9",
    ):
        assert said in text, said


def test_a_picture_can_be_seen_by_everybody() -> None:
    """It has a title and a description, follows light and dark, and asks nobody for anything."""
    text = draw_story(_draft(story()))
    root = ElementTree.fromstring(text)
    assert {"title", "desc"} <= {child.tag.rpartition("}")[2] for child in root}
    assert root.get("role") == "img"
    assert "prefers-color-scheme: dark" in text
    assert re.findall(r"(?:href|src)=|url\((?!#)|<script|<image|@import", text) == []


@pytest.mark.parametrize("text", ["<b>&\"'", "\x00\x07", "\ud800", "x" * 500])
def test_no_text_of_a_story_breaks_its_picture(text: str) -> None:
    """Marks are escaped, what XML cannot hold is left out, what is long is cut."""
    made = _story({"a": []})
    odd = Scenario(
        id="x",
        created_at=UNDATED,
        title=text,
        scenes=[Scene(id="a", title=text, type="special", description=text)],
    )
    assert len(list(ElementTree.fromstring(draw_story(odd)).iter())) == len(
        list(ElementTree.fromstring(draw_story(made)).iter())
    )


def test_an_outline_reads_from_the_beginning_down() -> None:
    """Each choice before what it leads to; what was told already, and what is not there, by name."""
    document = scene(
        "fork", branches=[{"choice": "Wait", "next_scene": "climb"}, {"choice": "Run", "next_scene": "x"}]
    )
    assert list(outline(_draft(document))) == [
        "gate: At the gate [narrative]",
        "fork: The fork [choice]",
        "  Wait → climb: The climb [d20 ≥ 12]",
        "    Up → home: Home [special, end]",
        "    Slip → ↑ fork",
        "  Run → x (no such scene)",
    ]


def test_thousands_of_scenes_in_a_row_are_no_trouble() -> None:
    """Neither picture nor outline calls itself."""
    names = [f"s{n}" for n in range(5000)]
    made = _story({name: [after] for name, after in itertools.pairwise(names)} | {names[-1]: []})
    assert draw_story(made).count("<rect") == 5001
    assert len(list(outline(made))) == 5000
