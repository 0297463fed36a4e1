"""What real files have that no schema foresees: taken, and told of with its line."""

from random import Random

import pytest

from mystira.domain.scenarios.reading import review_file
from tests.unit.content.stories import Document, as_json, as_yaml, codes, judged, only, read, scene, story


def test_a_byte_order_mark_is_passed_over() -> None:
    """Before UTF-8, and before UTF-16 too; in JSON as well."""
    for data in (b"\xef\xbb\xbf" + as_yaml(story()), b"\xef\xbb\xbf" + as_json(story())):
        review = review_file(data)
        assert review.is_sound
        assert only(review.findings).code == "byte_order_mark"
    review = review_file(as_yaml(story()).decode().encode("utf-16"))
    assert review.is_sound
    assert only(review.findings).code == "not_utf8"


def test_empty_keys_count_as_left_out() -> None:
    """`audio:` with nothing behind it, of a character and of a scene."""
    person = story()["characters"][0] | {"audio": None, "image": ""}
    document = scene("gate", media={"image": "gate.png", "audio": None})
    document["characters"] = [person]
    review = review_file(as_yaml(document), name="a.yaml")
    assert codes(review) == {
        ("warning", "empty_value", "characters[0].audio"),
        ("warning", "empty_value", "characters[0].image"),
        ("warning", "empty_value", "scenes[0].media.audio"),
    }
    assert review.story is not None
    assert review.story.characters[0].audio is None
    assert review.story.scenes[0].media is not None
    assert review.story.scenes[0].media.image == "gate.png"


def test_an_end_may_say_so_by_null_and_should() -> None:
    """`next_scene: null` is no oddity; an end without it is one."""
    assert judged(story()) == set()
    assert judged(scene("home", next_scene=...)) == {("warning", "quiet_end", "scenes[3].next_scene")}
    assert judged(scene("home", type="narrative", next_scene=...)) == {
        ("warning", "quiet_end", "scenes[3].next_scene")
    }
    assert judged(scene("home", next_scene="")) == {("warning", "empty_value", "scenes[3].next_scene")}


def test_keys_of_characters_are_found_wherever_they_stand() -> None:
    """Metadata beside the name, and the picture inside the metadata, are put where they belong."""
    person = story()["characters"][0]
    inner = person.pop("metadata")
    flat = {**person, **inner, "archetype": "keeper"}
    nested = {**person, "metadata": {**inner, "image": "mara.png", "audio": ""}}
    review = review_file(as_yaml(story(characters=[flat])), name="a.yaml")
    assert review.story is not None
    assert review.story.characters[0].metadata.traits == ["calm"]
    assert {code for _, code, _ in codes(review)} == {"misplaced_key", "not_a_list"}
    review = review_file(as_yaml(story(characters=[nested])), name="a.yaml")
    assert review.story is not None
    assert review.story.characters[0].image == "mara.png"
    assert ("warning", "misplaced_key", "characters[0].metadata.image") in codes(review)


def test_of_two_places_the_right_one_counts() -> None:
    """A key that stands at home and astray is taken from home."""
    person = story()["characters"][0] | {"image": "right.png", "species": "wrong"}
    person["metadata"] = person["metadata"] | {"image": "wrong.png"}
    review = review_file(as_yaml(story(characters=[person])))
    assert review.story is not None
    found = review.story.characters[0]
    assert (found.image, found.metadata.species) == ("right.png", "otter")


def test_a_character_without_an_id_gets_one_from_its_name() -> None:
    """Two of one name get two."""
    person = {key: value for key, value in story()["characters"][0].items() if key != "id"}
    people = [person | {"name": "Old Tom"}, person | {"name": "Old Tom"}, person | {"name": "勇気"}]
    document = scene("fork", active_character="old_tom_2") | {"characters": people}
    review = review_file(as_yaml(document))
    assert review.story is not None
    ids = [each.id for each in review.story.characters]
    assert ids[:2] == ["old_tom", "old_tom_2"]
    assert len(set(ids)) == 3
    assert all(ids)


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("sessionLength", "session_length"),
        ("SessionLength", "session_length"),
        ("session-length", "session_length"),
        ("ageGroup", "age_group"),
        ("coreAxes", "core_axes"),
    ],
)
def test_keys_in_other_spellings_are_taken(spelled: str, meant: str) -> None:
    """Camel case, capitals and hyphens mean the same key, and say so."""
    document = story()
    document[spelled] = document.pop(meant)
    assert judged(document) == {("warning", "spelling", meant)}


def test_both_spellings_of_a_scene_key_are_taken() -> None:
    """`activeCharacter` and `active_character`, `nextScene` and `next_scene`."""
    document = scene("fork", active_character=..., activeCharacter="mara")
    document["scenes"][0]["nextScene"] = document["scenes"][0].pop("next_scene")
    assert judged(document) == {
        ("warning", "spelling", "scenes[0].next_scene"),
        ("warning", "spelling", "scenes[1].active_character"),
    }


def test_two_spellings_at_once_are_refused() -> None:
    """Nobody knows which of them is meant."""
    assert ("error", "duplicate_key", "scenes[1].active_character") in judged(
        scene("fork", activeCharacter="x")
    )


def test_numbers_and_texts_are_taken_for_each_other_where_that_is_harmless() -> None:
    """A difficulty in quotes, a title that is a year, an age as text, a flag as a word."""
    text = as_yaml(story(title="TITLE", minimum_age="6")).decode()
    review = read(text.replace("TITLE", "1984").replace("difficulty: 12", 'difficulty: "12"'))
    assert codes(review) == {
        ("warning", "not_in_quotes", "title"),
        ("warning", "number_as_text", "minimum_age"),
        ("warning", "number_as_text", "scenes[2].difficulty"),
    }
    assert review.story is not None
    assert (review.story.title, review.story.scenes[2].difficulty) == ("1984", 12)
    reveal = {"echo_type": "calm", "min_strength": "0.5", "trigger_scene_id": "home", "required": "yes"}
    assert judged(scene("climb", echo_reveals=[reveal])) == {
        ("warning", "number_as_text", "scenes[2].echo_reveals[0].min_strength"),
        ("warning", "spelling", "scenes[2].echo_reveals[0].required"),
    }


@pytest.mark.parametrize(
    "word", ["no", "yes", "on", "off", "2024-05-01", "12:30", "0x1f", "1_000", "NaN", ".inf"]
)
def test_words_of_yaml_that_look_like_something_else_stay_text(word: str) -> None:
    """A title of `no` is the title "no", and a date is the text of a date."""
    review = read(as_yaml(story(title="TITLE")).decode().replace("TITLE", word))
    assert review.story is not None
    assert review.story.title == word
    assert review.findings == ()


@pytest.mark.parametrize("word", ["true", "1.50", "007"])
def test_what_is_no_text_in_yaml_is_taken_letter_by_letter(word: str) -> None:
    """As it stands there, and not as it would be written again; with a warning."""
    review = read(as_yaml(story(title="TITLE")).decode().replace("TITLE", word))
    assert review.story is not None
    assert review.story.title == word
    assert only(review.findings).code == "not_in_quotes"


def test_unknown_keys_and_mechanics_are_passed_over_or_kept() -> None:
    """A key that nobody knows goes; a reveal mechanic that nobody knows stays as it is written."""
    reveal = {"echo_type": "calm", "min_strength": 0, "trigger_scene_id": "home", "reveal_mechanic": "song"}
    document = scene("climb", echo_reveals=[reveal], mood="dark")
    review = review_file(as_yaml(document))
    assert codes(review) == {
        ("warning", "unknown_key", "scenes[2]"),
        ("warning", "unknown_word", "scenes[2].echo_reveals[0].reveal_mechanic"),
    }
    assert review.story is not None
    assert review.story.scenes[2].echo_reveals[0].reveal_mechanic == "song"


def test_what_only_decorates_is_never_broken_by_an_odd_word() -> None:
    """Moods, energies and tracks that the schema does not know are told of, and kept."""
    document = scene(
        "gate",
        music={"profile": "gloomy", "energy": 3},
        sound_effects=[{"track": "Rain Loop", "loopable": True, "energy": 0.5}],
    )
    review = review_file(as_yaml(document))
    assert review.is_sound
    assert {code for _, code, _ in codes(review)} == {"unknown_word", "out_of_range", "wrong_form"}
    assert review.story is not None
    assert review.story.scenes[0].music == {"profile": "gloomy", "energy": 3}


def test_ids_in_an_unusual_form_are_taken() -> None:
    """Hyphens in a scene's id harm nobody, as long as both ends spell it alike."""
    document = scene("gate", next_scene="the-fork")
    document["scenes"][1]["id"] = "the-fork"
    document["scenes"][2]["branches"][1]["next_scene"] = "the-fork"
    review = review_file(as_yaml(document))
    assert review.is_sound
    assert {code for _, code, _ in codes(review)} == {"wrong_form"}


def test_words_in_other_cases_are_taken_for_what_they_mean() -> None:
    """`medium` is Medium, `Choice` is choice, `6 - 9` is 6-9."""
    document = scene("fork", type="Choice") | {"difficulty": "medium", "age_group": "6 – 9"}
    review = review_file(as_yaml(document))
    assert review.story is not None
    assert (review.story.difficulty, review.story.age_group) == ("Medium", "6-9")
    assert {code for _, code, _ in codes(review)} == {"spelling"}


def test_a_finding_knows_its_line_and_column() -> None:
    """In YAML and in JSON, whatever ends the lines, counted from 1."""
    yaml_text = 'title: ""\r\nscenes:\r\n  - id: a\r\n    type: dance\r\n'
    found = {each.path: (each.line, each.column) for each in read(yaml_text).errors}
    assert found["title"] == (1, 1)
    assert found["scenes[0].type"] == (4, 11)
    json_text = '{\n  "title": "",\n\t"scenes": [{"id": "a", "type": "dance"}]}'
    found = {each.path: (each.line, each.column) for each in read(json_text, "a.json").errors}
    assert found["title"] == (2, 3)
    assert found["scenes[0].type"] == (3, 33)


def test_anchors_and_aliases_are_taken_as_what_they_stand_for() -> None:
    """Authors who repeat themselves may say so."""
    text = as_yaml(story()).decode().replace("- night", "- &word night").replace("- friendship", "- *word")
    review = read(text)
    assert review.story is not None
    assert review.story.tags == ["night", "night"]


def test_the_id_is_the_files_or_made_from_the_title() -> None:
    """And the review says which."""
    named = review_file(as_yaml(story(id="lantern")))
    made = review_file(as_yaml(story()))
    assert named.story is not None
    assert made.story is not None
    assert (named.story.id, named.names_id) == ("lantern", True)
    assert (made.story.id, made.names_id) == ("the-lantern-on-the-hill", False)
    assert ("error", "wrong_form", "id") in judged(story(id="no/path"))


def _long_story() -> Document:
    """A hundred and eleven scenes of every type, with every oddity that files of that size have had."""
    scenes: list[Document] = []
    for number in range(108):
        name, after, leap = f"scene_{number}", f"scene_{number + 1}", f"scene_{min(number + 3, 108)}"
        made: Document = {"id": name, "title": f"Part {number}", "description": "It goes on.\nAnd on."}
        if number % 3 == 0:
            made |= {
                "type": "narrative",
                "next_scene": after,
                "media": {"image": f"s{number}.png", "audio": None},
            }
        else:
            log = {"echo_type": "own_echo", "description": "Done.", "strength": 0.5}
            change = {"axis": "Own Axis", "delta": -0.5 if number % 2 else "0.5", "developmental_link": "x"}
            made |= {
                "type": "choice" if number % 3 == 1 else "roll",
                "activeCharacter": "hero",
                "branches": [
                    {"choice": "On", "next_scene": after, "echo_log": log, "compass_change": change},
                    {"choice": "Far on", "next_scene": leap},
                ],
            }
            made |= {} if number % 3 == 1 else {"difficulty": "11"}
        if number == 50:
            reveal = {"echo_type": "own_echo", "min_strength": 0.4, "trigger_scene_id": "scene_60"}
            made["echo_reveals"] = [reveal | {"max_age_scenes": 40, "reveal_mechanic": "memory_flashback"}]
        scenes.append(made)
    ending = {"title": "The end", "description": "Home."}
    fork = [{"choice": "Well", "next_scene": "end_well"}, {"choice": "So", "next_scene": "end_so"}]
    scenes.append(
        {"id": "scene_108", "title": "Last", "type": "choice", "description": "?", "branches": fork}
    )
    scenes += [{"id": "end_well", "type": "special", **ending}, {"id": "end_so", "type": "special", **ending}]
    person = story()["characters"][0] | {"id": "hero", "audio": None}
    person["metadata"] = person["metadata"] | {"image": "hero.png", "mood": "glad"}
    return story(title="A Long Way", scenes=scenes, characters=[person], minimum_age=5)


def test_a_long_story_with_every_oddity_comes_in_and_can_be_played_to_an_end() -> None:
    """Warnings alone, each with its line, and from every scene a way to an end."""
    review = review_file(b"\xef\xbb\xbf" + as_yaml(_long_story()), name="long.yaml")
    assert review.errors == ()
    assert review.story is not None
    assert len(review.story.scenes) == 111
    assert {each.code for each in review.warnings} == {
        "byte_order_mark",
        "empty_value",
        "spelling",
        "number_as_text",
        "misplaced_key",
        "unknown_key",
        "unknown_word",
        "quiet_end",
        "unusual_age",
        "axis_not_core",
    }
    assert all(each.line for each in review.warnings)
    play = Random(1)
    for _ in range(50):
        here, steps = review.story.first_scene, 0
        while not here.is_end:
            ways = [each.next_scene for each in here.branches] or [here.next_scene or ""]
            following = review.story.scene(play.choice(ways))
            assert following is not None
            here, steps = following, steps + 1
        assert here.id in ("end_well", "end_so")
        assert steps > 20
