"""Badge sets: judged whole, replaced whole, or left as they were."""

import json
from typing import Any

import pytest

from manystore.errors import UnavailableError
from manystore.records import Kind
from mystira.domain.badges.reading import BadgeReview, read_badge_set, write_badge_set
from mystira.domain.badges.sets import SetOutcome, import_set, read_set
from mystira.domain.errors import ContendedError, NotFoundError
from mystira.domain.files.errors import InvalidContentError
from tests.unit.content.shelves import Shelves, open_shelves


def _badge(tier: str, score: float, axis: str = "Calm", order: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "Tier": tier,
        "Tier_Order": order,
        "Title": f"{axis} {tier}",
        "Description": "For waiting.",
        "Required_Score": score,
        "Compass_Axis_Id": axis,
        "Image_Id": "badge",
    } | more


def _set(*badges: dict[str, Any], axes: tuple[str, ...] = ("Calm",), group: str = "6-9") -> bytes:
    achievements = [
        {"Compass_Axis_Id": axis, "Axes_Direction": "positive", "Description": "Learning to wait."}
        for axis in axes
    ]
    document = {"Age_Group_Id": group, "Axis_Achievements": achievements, "Badges": list(badges)}
    return json.dumps(document).encode()


def _read(*badges: dict[str, Any], **more: Any) -> BadgeReview:
    return read_badge_set(_set(*badges, **more))


async def _import(shelves: Shelves, review: BadgeReview) -> SetOutcome:
    return await import_set(shelves.badges, shelves.achievements, review, clock=shelves.clock)


async def _kept(shelves: Shelves, group: str = "6-9") -> Any:
    kept = await read_set(shelves.badges, shelves.achievements, group)
    return json.loads(write_badge_set(kept))


FIRST = (_badge("bronze", 1), _badge("silver", 2.5))
SECOND = (_badge("bronze", 1), _badge("gold", 3))


def test_a_set_reads_and_writes_as_the_same() -> None:
    """In JSON and in YAML."""
    review = _read(*FIRST)
    assert review.findings == ()
    assert review.badge_set is not None
    for language in ("json", "yaml"):
        again = read_badge_set(write_badge_set(review.badge_set, language), language=language)
        assert again.badge_set == review.badge_set


@pytest.mark.parametrize(
    ("data", "code", "path"),
    [
        (_set(_badge("bronze", 1), _badge("silver", 1)), "scores_not_rising", "badges"),
        (_set(_badge("silver", 1), _badge("bronze", 2)), "scores_not_rising", "badges"),
        (_set(_badge("bronze", 1), _badge("bronze", 2)), "duplicate_badge", "badges[1]"),
        (_set(_badge("bronze", -1)), "out_of_range", "badges[0].required_score"),
        (_set(_badge("tin", 1)), "unknown_word", "badges[0].tier"),
        (_set(_badge("bronze", 1, Title="")), "empty", "badges[0].title"),
        (_set(group="young"), "wrong_form", "age_group_id"),
        (_set(axes=("Calm", "Calm")), "duplicate_achievement", "axis_achievements[1]"),
        (b"{}", "missing", "badges"),
        (b"[]", "wrong_type", ""),
    ],
)
def test_a_broken_set_is_told_of(data: bytes, code: str, path: str) -> None:
    """Each rule, broken once."""
    review = read_badge_set(data)
    assert (code, path) in {(each.code, each.path) for each in review.findings if each.is_error}
    assert review.badge_set is None


def test_what_is_unusual_in_a_set_is_a_warning() -> None:
    """Badges of an axis that nobody explains, or that is not known."""
    review = read_badge_set(_set(*FIRST, axes=()), axes=frozenset({"Courage"}))
    assert {each.code for each in review.findings} == {"unexplained_axis", "own_axis"}
    assert review.badge_set is not None


def test_two_badges_of_one_tier_have_an_order() -> None:
    """By which they differ, in the file and in their ids."""
    review = _read(_badge("bronze", 1), _badge("bronze", 2, order=2), _badge("silver", 3))
    assert review.badge_set is not None
    assert [each.id for each in review.badge_set.badges] == [
        "6-9-calm-bronze-1",
        "6-9-calm-bronze-2",
        "6-9-calm-silver-1",
    ]


async def test_a_set_takes_the_place_of_the_one_before() -> None:
    """What is new comes, what is not in it goes, what is in both stays the same record."""
    shelves = await open_shelves()
    assert await _import(shelves, _read(*FIRST)) == SetOutcome(age_group="6-9", created=3)
    bronze = await shelves.badges.get("6-9-calm-bronze-1")
    outcome = await _import(shelves, _read(*SECOND))
    assert outcome == SetOutcome(age_group="6-9", created=1, removed=1, unchanged=2)
    assert await shelves.badges.get("6-9-calm-bronze-1") == bronze
    assert await _kept(shelves) == json.loads(_set(*SECOND))
    raised = await _import(shelves, _read(_badge("bronze", 2), _badge("gold", 3)))
    assert raised == SetOutcome(age_group="6-9", changed=1, unchanged=2)


async def test_other_age_groups_are_left_alone() -> None:
    """Each has its own set."""
    shelves = await open_shelves()
    await _import(shelves, _read(*FIRST))
    await _import(shelves, _read(*SECOND, group="10-12"))
    assert await _kept(shelves) == json.loads(_set(*FIRST))
    with pytest.raises(NotFoundError):
        await read_set(shelves.badges, shelves.achievements, "3-5")


async def test_a_broken_set_writes_nothing() -> None:
    """Not even its sound badges."""
    shelves = await open_shelves()
    await _import(shelves, _read(*FIRST))
    with pytest.raises(InvalidContentError):
        await _import(shelves, _read(_badge("bronze", 5), _badge("silver", 4)))
    assert await _kept(shelves) == json.loads(_set(*FIRST))


@pytest.mark.parametrize("writes", range(6))
async def test_a_set_that_cannot_be_written_to_its_end_leaves_the_former_one(writes: int) -> None:
    """Wherever the store fails once, what was written is taken back."""
    shelves = await open_shelves()
    await _import(shelves, _read(*FIRST))

    async def nothing(kind: Kind) -> None:
        """Let the write pass."""

    async def fail(kind: Kind) -> None:
        raise UnavailableError(subject="documents", reason="gone for a moment")

    other = _read(_badge("bronze", 9), _badge("gold", 10), _badge("platinum", 11), axes=("Calm", "Courage"))
    shelves.store.interruptions = [*[nothing] * writes, fail]
    if writes < 5:
        with pytest.raises(UnavailableError):
            await _import(shelves, other)
        assert await _kept(shelves) == json.loads(_set(*FIRST))
    else:
        await _import(shelves, other)


async def test_two_sets_at_once_do_not_mix() -> None:
    """Where somebody else wrote a badge in between, the set is taken back and the caller may try again."""
    shelves = await open_shelves()
    await _import(shelves, _read(*FIRST))

    async def meddle(kind: Kind) -> None:
        bronze = await shelves.store.get(shelves.badges.kind, "6-9-calm-bronze-1")
        assert bronze is not None
        assert bronze.content is not None
        content = bronze.content | {"title": "Somebody else's"}
        await shelves.write(shelves.badges.kind, bronze.version + 1, content)

    shelves.store.interruptions = [meddle]
    with pytest.raises(ContendedError):
        await _import(shelves, _read(_badge("bronze", 2), _badge("gold", 3)))
    kept = await _kept(shelves)
    assert [each["Title"] for each in kept["Badges"]] == ["Somebody else's", "Calm silver"]
