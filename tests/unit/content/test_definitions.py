"""Definitions: made, changed, marked as deleted, restored, and brought in as whole lists."""

from typing import Any

import pytest

from mystira.domain.definitions.reading import SORTS, Sort, read_definitions, sort_named
from mystira.domain.definitions.use_cases import (
    DefinitionChange,
    DefinitionSearch,
    NewDefinition,
    all_definitions,
    change_definition,
    create_definition,
    delete_definition,
    import_definitions,
    known_definitions,
    list_definitions,
    read_definition,
    restore_definition,
)
from mystira.domain.errors import AlreadyExistsError, InvalidValueError, VersionMismatchError
from mystira.domain.files.errors import InvalidContentError
from mystira.domain.scenarios.vocabulary import vocabulary_of
from tests.unit.content.shelves import Shelves, open_shelves


async def _bring(shelves: Shelves, text: str, **more: Any) -> list[tuple[str, str]]:
    read = read_definitions(text.encode(), **more)
    brought = await import_definitions(shelves.definitions, read, clock=shelves.clock)
    return [(each.id, each.outcome) for each in brought]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("- calm\n- brave\n", ["calm", "brave"]),
        ('[{"value": "calm"}, {"Value": "brave"}]', ["calm", "brave"]),
        ("- name: calm\n  description: Being still.\n", ["calm"]),
        ('[{"Value": "Curiosity & Initiative", "Description": "x"}]', ["Curiosity & Initiative"]),
    ],
)
def test_lists_come_in_every_form(text: str, names: list[str]) -> None:
    """Words, values in small and in capital letters, and whole definitions."""
    read = read_definitions(text.encode(), sort="axes")
    assert read.findings == ()
    assert [each.name for each in read.read["axes"]] == names


@pytest.mark.parametrize(
    ("name", "sort"),
    [
        ("CoreAxes.json", "axes"),
        ("compass_axes.yaml", "axes"),
        ("EchoTypes.json", "echo-types"),
        ("fantasy-themes.yml", "themes"),
        ("AgeGroups.json", "age-groups"),
        ("FantasyNames.json", None),
    ],
)
def test_a_file_is_known_by_its_name(name: str, sort: Sort | None) -> None:
    """However it is spelled; others must be told what they are."""
    assert sort_named(name) == sort
    assert read_definitions(b'["x"]', name=name).is_sound == (sort not in (None, "age-groups"))


def test_one_file_may_hold_every_sort() -> None:
    """Lists under their names."""
    read = read_definitions(b"axes: [calm]\nEchoTypes: [hope]\nage_groups: [6-9]\n")
    assert read.findings == ()
    assert {sort: [each.id for each in found] for sort, found in read.read.items()} == {
        "axes": ["calm"],
        "echo-types": ["hope"],
        "age-groups": ["6-9"],
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("- []", "wrong_type"),
        ("- {description: x}", "missing"),
        ("- ''", "empty"),
        ("- '!!'", "no_id"),
        ("colours: [red]", "unknown_sort"),
        ("axes: red", "unknown_sort"),
        ("just text", "wrong_type"),
    ],
)
def test_what_is_no_definition_is_told_of_with_its_line(text: str, code: str) -> None:
    """And keeps the whole list out."""
    read = read_definitions(f"# axes\n{text}\n".encode(), sort="axes")
    (found,) = (each for each in read.findings if each.is_error)
    assert (found.code, found.line) == (code, 2)
    assert read.read == {}


@pytest.mark.parametrize("text", ["- 9-6", "- young", "- {value: 6-9, minimum_age: 5}", "- {name: x}"])
def test_age_groups_have_two_ages_that_agree(text: str) -> None:
    """The lesser first, and the same as the value says."""
    assert not read_definitions(text.encode(), sort="age-groups").is_sound


async def test_a_list_is_brought_in_once() -> None:
    """What is new is made; what is the same is left; what was deleted comes back; what differs is changed."""
    shelves = await open_shelves()
    assert await _bring(shelves, "- calm\n- brave\n", sort="axes") == [
        ("calm", "created"),
        ("brave", "created"),
    ]
    assert await _bring(shelves, "- calm\n", sort="axes") == [("calm", "unchanged")]
    await delete_definition(shelves.definitions["axes"], "calm", clock=shelves.clock, expected=None)
    described = "- {value: brave, description: Going on.}\n- calm\n- brave\n"
    assert await _bring(shelves, described, sort="axes") == [("brave", "changed"), ("calm", "restored")]
    assert await _bring(shelves, "- brave\n", sort="axes") == [("brave", "unchanged")]
    stored = await read_definition(shelves.definitions["axes"], "brave")
    assert stored.value.description == "Going on."


async def test_a_broken_list_writes_nothing() -> None:
    """Not even what comes before the fault."""
    shelves = await open_shelves()
    with pytest.raises(InvalidContentError):
        await _bring(shelves, "- calm\n- {}\n", sort="axes")
    assert await all_definitions(shelves.definitions["axes"], including_deleted=True) == []


async def test_a_deleted_definition_is_kept_and_can_be_restored() -> None:
    """Stories that name it still have it explained; lists leave it out."""
    shelves = await open_shelves()
    kept = shelves.definitions["axes"]
    made = await create_definition(kept, "axes", NewDefinition(name="Self-Regulation"), clock=shelves.clock)
    assert made.key == "self-regulation"
    gone = await delete_definition(kept, made.key, clock=shelves.clock, expected=made.version)
    assert (await list_definitions(kept, DefinitionSearch())).items == ()
    found = await list_definitions(kept, DefinitionSearch(include_deleted=True))
    assert [each.key for each in found.items] == ["self-regulation"]
    with pytest.raises(AlreadyExistsError):
        await create_definition(kept, "axes", NewDefinition(name="self regulation"), clock=shelves.clock)
    with pytest.raises(VersionMismatchError):
        await restore_definition(kept, made.key, clock=shelves.clock, expected=made.version)
    await restore_definition(kept, made.key, clock=shelves.clock, expected=gone.version)
    assert [each.name for each in await all_definitions(kept)] == ["Self-Regulation"]


async def test_old_definitions_without_a_mark_are_not_deleted() -> None:
    """The former system left the mark out where it was false."""
    shelves = await open_shelves()
    kept = shelves.definitions["axes"]
    content = {"id": "calm", "createdAt": "2025-01-01T00:00:00Z", "name": "Calm"}
    await shelves.write(kept.kind, 0, content)
    assert [each.id for each in await all_definitions(kept)] == ["calm"]


async def test_the_description_can_be_changed() -> None:
    """The name cannot: stories name the definition by it."""
    shelves = await open_shelves()
    kept = shelves.definitions["themes"]
    made = await create_definition(kept, "themes", NewDefinition(name="Forest"), clock=shelves.clock)
    changed = await change_definition(
        kept, made.key, DefinitionChange(description="Trees."), clock=shelves.clock, expected=made.version
    )
    assert (changed.value.name, changed.value.description) == ("Forest", "Trees.")


async def test_age_groups_are_named_by_their_ages() -> None:
    """And nothing else has ages."""
    shelves = await open_shelves()
    new = NewDefinition(name="school", minimum_age=6, maximum_age=9)
    made = await create_definition(shelves.definitions["age-groups"], "age-groups", new, clock=shelves.clock)
    assert made.key == "6-9"
    for sort, wrong in (
        ("age-groups", NewDefinition(name="x")),
        ("age-groups", NewDefinition(name="x", minimum_age=9, maximum_age=6)),
        ("axes", new),
        ("axes", NewDefinition(name="!!")),
    ):
        with pytest.raises(InvalidValueError):
            await create_definition(shelves.definitions[sort], sort, wrong, clock=shelves.clock)  # type: ignore[index,arg-type]


async def test_known_words_are_those_of_sorts_that_have_any() -> None:
    """Where nobody has brought in axes, no axis of a story is unknown."""
    shelves = await open_shelves()
    await _bring(shelves, "- calm\n- brave\n", sort="echo-types")
    await delete_definition(shelves.definitions["echo-types"], "brave", clock=shelves.clock, expected=None)
    vocabulary = vocabulary_of(await known_definitions(shelves.definitions))
    assert (vocabulary.axes, vocabulary.archetypes) == (None, None)
    assert vocabulary.echo_types == frozenset({"calm"})
    assert set(shelves.definitions) == set(SORTS)


async def test_more_than_a_page_of_definitions_is_known() -> None:
    """All of them, whatever the page."""
    shelves = await open_shelves()
    await _bring(shelves, "".join(f"- word {n}\n" for n in range(620)), sort="echo-types")
    assert len(await all_definitions(shelves.definitions["echo-types"])) == 620
