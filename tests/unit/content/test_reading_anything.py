"""Whatever somebody sends, the reader answers with a report."""

import json
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mystira.domain.badges.reading import read_badge_set
from mystira.domain.definitions.reading import read_definitions
from mystira.domain.files.findings import MOST
from mystira.domain.files.nodes import MOST_BYTES, MOST_DEPTH
from mystira.domain.scenarios.reading import Review, review_document, review_file
from tests.unit.content.stories import as_json, as_yaml, story

NAMES = st.sampled_from(["", "a.yaml", "a.json", "a.txt"])
MARKS = st.text(alphabet="{}[]:,-#&*!|>'\"%@`\n\t ~?<ab01.éß\ufeff\u2028", max_size=60)
KEYS = st.sampled_from(
    [*story(), "id", "type", "next_scene", "branches", "choice", "metadata", "media", "audio", "<<", "x", ""]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)


def _check(review: Review) -> None:
    """A report is complete: a story without errors, or errors; every finding within the text."""
    assert (review.story is None) == bool(review.errors)
    for finding in review.findings:
        assert finding.message
        if finding.line is not None and review.lines:
            assert 1 <= finding.line <= len(review.lines)
            assert 1 <= (finding.column or 0) <= len(review.lines[finding.line - 1]) + 2


@given(st.binary(max_size=400), NAMES)
def test_any_bytes_give_a_report(data: bytes, name: str) -> None:
    """No bytes whatever raise an exception."""
    _check(review_file(data, name=name))
    read_definitions(data, name="axes.json")
    read_badge_set(data, name=name)


@given(MARKS, NAMES)
def test_any_text_gives_a_report(text: str, name: str) -> None:
    """Nor does text that is almost YAML or JSON."""
    _check(review_file(text.encode(), name=name))


@given(VALUES, st.booleans())
def test_any_values_give_a_report(value: Any, is_json: bool) -> None:
    """Nor do values of any sort under the keys of a story, read from a file or not."""
    text = json.dumps(value).encode() if is_json else as_yaml(value)
    _check(review_file(text, name="a.json" if is_json else "a.yaml"))
    review_document(value)
    read_definitions(text, name="axes.yaml")
    read_badge_set(text)


@given(st.data())
def test_a_story_with_something_else_in_one_place_gives_a_report(data: st.DataObject) -> None:
    """A sound story of which one value was replaced, wherever it lies."""
    document = story()
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else list(range(len(place)))))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(VALUES)
    _check(review_file(as_yaml(document), name="a.yaml"))
    _check(review_file(json.dumps(document).encode(), name="a.json"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\n" + "".join(f"k{n}: &c{n} [*b, *b]\n" for n in range(3)), None),
        (
            "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"k{n}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(9)),
            "too_large",
        ),
        ("[" * 5000, "too_deep"),
        ("- " * 5000, "too_deep"),
        ('{"a":' * 5000, "too_deep"),
        (
            "a0: &a0 [[[[[[[[x]]]]]]]]\n"
            + "".join(f"a{n + 1}: &a{n + 1} [[[[[*a{n}]]]]]\n" for n in range(10)),
            "too_deep",
        ),
        ("a: &a [*a]", "alias_loop"),
        ("a: *b", "unknown_alias"),
        ("a: !!python/object/apply:os.system ['true']", "tag"),
        ("a: !include other.yaml", "tag"),
        ("a: 1\n---\nb: 2\n", "several_documents"),
        ("? [a, b]\n: c\n", "key_not_text"),
        ("title: x\ntitle: y\n", "duplicate_key"),
        ('{"title": "x", "title": "y"}', "duplicate_key"),
        ("\x07title: x", "control_character"),
        ("title: [", "not_yaml"),
        ("{title: [", "not_json"),
        ("", "empty"),
        ("# nothing\n", "empty"),
        ("- a\n", "wrong_type"),
    ],
)
def test_traps_are_told_of(text: str, code: str | None) -> None:
    """Aliases that grow without end, depths, loops, tags, second documents, keys that stand twice."""
    found = {
        each.code for each in review_file(text.encode(), name="" if text[:1] == "{" else "a.yaml").errors
    }
    assert code is None or code in found


def test_what_is_too_large_is_not_read() -> None:
    """More bytes than a story can have are refused before anything looks at them."""
    review = review_file(b" " * (MOST_BYTES + 1))
    assert [each.code for each in review.findings] == ["too_large"]


def test_a_file_that_is_wrong_all_over_is_told_of_in_part() -> None:
    """So many findings that nobody reads them are cut, and errors are not cut away by warnings."""
    text = "".join(f"k{n}: 1\n" for n in range(3 * MOST))
    review = review_file(text.encode())
    assert len(review.findings) == MOST + 1
    assert review.findings[-1].code == "more"
    assert any(each.code == "missing" and each.path == "title" for each in review.findings)


def test_depth_leaves_room_for_what_is_needed() -> None:
    """A sound story is nowhere near the limits."""
    assert MOST_DEPTH > 4 * 7
    assert review_file(as_json(story())).is_sound


def _calls(document: Any) -> int:
    """How many calls the review of a document takes: work that can be counted, on however busy a machine."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        review_document(document)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("shape", ["a chain", "a ring", "all from one", "dead ends", "wrong targets"])
def test_thousands_of_scenes_take_work_in_proportion(shape: str) -> None:
    """Eight times the scenes take at most ten times the calls, and no depth of calls grows with them."""

    def document(count: int) -> Any:
        scenes: list[Any] = [
            {"id": f"s{n}", "title": "t", "type": "narrative", "description": "d", "next_scene": f"s{n + 1}"}
            for n in range(count)
        ]
        scenes[-1]["next_scene"] = "s0" if shape == "a ring" else None
        if shape == "all from one":
            branches = [{"choice": f"c{n}", "next_scene": f"s{n}"} for n in range(1, min(count, 100))]
            scenes[0] |= {"type": "choice", "branches": branches, "next_scene": None}
        if shape == "dead ends":
            for n, each in enumerate(scenes[1:], 1):
                each["next_scene"] = f"s{n}"
        if shape == "wrong targets":
            for n, each in enumerate(scenes):
                each["next_scene"] = f"x{n}"
        return story(scenes=scenes)

    few, many = document(100), document(800)
    _calls(few)
    assert _calls(many) < 10 * _calls(few)
