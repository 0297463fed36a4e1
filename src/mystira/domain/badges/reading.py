"""Badge sets as files: all badges of one age group, and what moving along each axis means at that age."""

import itertools
import re
from collections.abc import Iterable
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import UNSET

from mystira.domain.badges.model import TIERS, AxisAchievement, Badge
from mystira.domain.files.findings import Finding, in_order, is_sound
from mystira.domain.files.forms import Many, Number, OneOf, Text
from mystira.domain.files.groups import Field, Group
from mystira.domain.files.nodes import Complaints, Node, locate
from mystira.domain.files.reading import Language, read_manuscript
from mystira.domain.files.writing import write_json, write_yaml
from mystira.domain.ids import slug_of
from mystira.domain.records import UNDATED

Direction = Literal["positive", "negative"]

_LINE: Final = Text(least=1, most=200)

_ACHIEVEMENT: Final = Group(
    what="what an axis means, with Compass_Axis_Id, Axes_Direction and Description",
    any_spelling=True,
    fields=(
        Field("compass_axis_id", _LINE, required=True),
        Field("axes_direction", OneOf(words=get_args(Direction)), required=True),
        Field("description", Text(least=1, most=4000), required=True),
    ),
)

_BADGE: Final = Group(
    what="a badge, key by key",
    any_spelling=True,
    fields=(
        Field("tier", OneOf(words=TIERS), required=True),
        Field("tier_order", Number(whole=True, least=1, most=1000), required=True),
        Field("title", _LINE, required=True),
        Field("description", Text(least=1, most=4000), required=True),
        Field("required_score", Number(least=0.0, most=1e6), required=True),
        Field("compass_axis_id", _LINE, required=True),
        Field("image_id", Text(least=1, most=500), required=True),
    ),
)

_SET: Final = Group(
    what="a badge set with Age_Group_Id, Axis_Achievements and Badges",
    any_spelling=True,
    fields=(
        Field(
            "age_group_id",
            Text(
                least=3, most=7, pattern=re.compile("[0-9]{1,3}-[0-9]{1,3}"), pattern_words="ages such as 6-9"
            ),
            required=True,
        ),
        Field(
            "axis_achievements",
            Many(form=_ACHIEVEMENT, most=1000, keeps_places=True, of="achievements"),
            required=True,
        ),
        Field("badges", Many(form=_BADGE, most=1000, keeps_places=True, of="badges"), required=True),
    ),
)

Read = dict[str, Any]


class BadgeSet(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All badges of an age group."""

    age_group: str
    badges: tuple[Badge, ...] = ()
    achievements: tuple[AxisAchievement, ...] = ()


class BadgeReview(msgspec.Struct, frozen=True, kw_only=True):
    """What came of reading a badge set: the set, or None where something is broken."""

    findings: tuple[Finding, ...]
    badge_set: BadgeSet | None = None


def read_badge_set(
    data: bytes,
    *,
    name: str = "",
    language: Language | None = None,
    axes: frozenset[str] | None = None,
) -> BadgeReview:
    """The badge set of a file; `axes` are those that are known. Raises nothing, whatever the bytes are."""
    manuscript = read_manuscript(data, name=name, language=language)
    told, root = manuscript.complaints, manuscript.root
    read = UNSET if root is None else _SET.read(root, (), told)
    if root is None or read is UNSET:
        return BadgeReview(findings=in_order(told.findings))
    made = BadgeSet(
        age_group=read.get("age_group_id", ""),
        badges=tuple(_badges(read, root, told)),
        achievements=tuple(_achievements(read, root, told)),
    )
    _judge(made, root, told, axes)
    findings = in_order(told.findings)
    return BadgeReview(findings=findings, badge_set=made if is_sound(findings) else None)


def write_badge_set(badge_set: BadgeSet, language: Language = "json") -> bytes:
    """The file of a badge set, by the names that such files have. Read again, it is the same set."""
    document = {
        "Age_Group_Id": badge_set.age_group,
        "Axis_Achievements": [
            {
                "Compass_Axis_Id": each.axis,
                "Axes_Direction": each.direction,
                "Description": each.description,
            }
            for each in badge_set.achievements
        ],
        "Badges": [
            {
                "Tier": each.tier,
                "Tier_Order": _order_in(each.id),
                "Title": each.title,
                "Description": each.description,
                "Required_Score": each.required_score,
                "Compass_Axis_Id": each.axis,
                "Image_Id": each.image_id,
            }
            for each in badge_set.badges
        ],
    }
    return write_json(document) if language == "json" else write_yaml(document)


def badge_id(age_group: str, axis: str, tier: str, order: int) -> str:
    """The id of a badge, the same whenever its set is brought in: what was earned points to it."""
    return slug_of(f"{age_group} {axis}") + f"-{tier}-{order}"


def _order_in(key: str) -> int:
    """The order within its tier, which a badge's id ends with."""
    number = key.rpartition("-")[2]
    return int(number) if number.isdigit() and len(number) < 5 else 1


def _badges(read: Read, root: Node, told: Complaints) -> Iterable[Badge]:
    taken: dict[str, int] = {}
    for index, each in enumerate(read.get("badges", [])):
        axis, tier, order = each.get("compass_axis_id"), each.get("tier"), each.get("tier_order")
        if axis is None or tier is None or order is None:
            continue
        key, path = badge_id(read.get("age_group_id", ""), axis, tier, order), ("badges", index)
        if key in taken:
            message = f"badges[{taken[key]}] of {axis!r} is {tier} {order} too: give this one another order."
            told.error("duplicate_badge", message, path, locate(root, path))
            continue
        taken[key] = index
        yield Badge(
            id=key,
            created_at=UNDATED,
            age_group=read.get("age_group_id", ""),
            axis=axis,
            tier=tier,
            title=each.get("title", ""),
            description=each.get("description", ""),
            required_score=float(each.get("required_score", 0.0)),
            image_id=each.get("image_id", ""),
        )


def _achievements(read: Read, root: Node, told: Complaints) -> Iterable[AxisAchievement]:
    taken: set[str] = set()
    group = read.get("age_group_id", "")
    for index, each in enumerate(read.get("axis_achievements", [])):
        axis, direction = each.get("compass_axis_id"), each.get("axes_direction")
        if axis is None or direction is None:
            continue
        key, path = f"{slug_of(f'{group} {axis}')}-{direction}", ("axis_achievements", index)
        if key in taken:
            message = f"The {direction} direction of {axis!r} is told of twice: keep one of them."
            told.error("duplicate_achievement", message, path, locate(root, path))
            continue
        taken.add(key)
        yield AxisAchievement(
            id=key,
            created_at=UNDATED,
            age_group=group,
            axis=axis,
            direction=direction,
            description=each.get("description", ""),
        )


def _judge(made: BadgeSet, root: Node, told: Complaints, axes: frozenset[str] | None) -> None:
    at = locate(root, ("badges",))
    by_axis: dict[str, list[Badge]] = {}
    for badge in made.badges:
        by_axis.setdefault(badge.axis, []).append(badge)
    explained = {each.axis for each in made.achievements}
    for axis, badges in by_axis.items():
        ordered = sorted(badges, key=lambda each: (TIERS.index(each.tier), _order_in(each.id)))
        for lower, higher in itertools.pairwise(ordered):
            if higher.required_score <= lower.required_score:
                message = (
                    f"{higher.title!r} ({higher.tier}) of {axis!r} asks for {higher.required_score:g}, "
                    f"which is no more than {lower.title!r} ({lower.tier}): let scores rise with the tiers."
                )
                told.error("scores_not_rising", message, ("badges",), at)
        if axis not in explained:
            message = (
                f"There are badges of {axis!r}, and no achievement that says what moving along it means."
            )
            told.warning("unexplained_axis", message, ("axis_achievements",), at)
        if axes is not None and axis not in axes:
            told.warning("own_axis", f"The axis {axis!r} is not known here.", ("badges",), at)
