"""When a badge is earned, and how far it is to the next one.

A badge belongs to an age group, an axis and a tier. It is earned once a profile of that group has come to its
required score on the axis, summed over all stories that count. Earned badges lie in the profile.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from manystore.clock import Clock
from manystore.repository import Repository
from manystore.specifications import Specification, field
from mystira.domain.badges.model import TIERS, Badge, Tier
from mystira.domain.ids import MakeId, make_id
from mystira.domain.profiles.model import BadgeAward, UserBadge, UserProfile
from mystira.domain.profiles.use_cases import Profiles, award_badges

Badges = Repository[Badge]

_MOST: Final = 1000


class NextBadge(Struct, frozen=True, kw_only=True, rename="camel"):
    """The badge that comes next on an axis. `missing` is what the total lacks."""

    badge_id: str
    tier: Tier
    title: str
    description: str
    image_id: str
    required_score: float
    missing: float


class AxisProgress(Struct, frozen=True, kw_only=True, rename="camel"):
    """How a profile stands on an axis.

    `total` is what completed stories came to, `live_total` that and what stories under way have brought so
    far. `next` is None where all badges of the axis are earned; `share` is how much of the way to it, from
    the badge before (or from zero), is done, from 0 to 1.
    """

    axis: str
    total: float
    live_total: float
    earned: list[str]
    next: NextBadge | None
    share: float


async def badges_for(badges: Badges, age_group: str) -> list[Badge]:
    """All badges of an age group: by axis, and within it in the order in which they are earned."""
    found = await badges.find(Specification(where=field("ageGroup") == age_group, limit=_MOST))
    return sorted((stored.value for stored in found.items), key=_order)


def _order(badge: Badge) -> tuple[str, int, float, str]:
    return badge.axis, TIERS.index(badge.tier), badge.required_score, badge.id


def reached(badges: Sequence[Badge], totals: Mapping[str, float], earned: Collection[str]) -> list[Badge]:
    """The badges that the totals reach and that are not among those earned (by id), in order of tier."""
    new = [each for each in badges if each.id not in earned and _is_reached(each, totals)]
    return sorted(new, key=lambda each: (TIERS.index(each.tier), *_order(each)))


def _is_reached(badge: Badge, totals: Mapping[str, float]) -> bool:
    # An axis on which nothing ever moved brings no badge, not even one that asks for nothing.
    return badge.axis in totals and totals[badge.axis] >= badge.required_score


async def award_reached(
    badges: Badges,
    profiles: Profiles,
    profile: UserProfile,
    totals: Mapping[str, float],
    *,
    session_id: str,
    scenario_id: str,
    clock: Clock,
    maker: MakeId = make_id,
) -> list[Badge]:
    """Give a profile what its totals reach, each once however often; all that this session ever brought it.

    Raises NotFoundError where the profile has gone, and ContendedError.
    """
    there_are = await badges_for(badges, profile.age_group)
    awards = [
        BadgeAward(
            badge_configuration_id=badge.id,
            badge_id=badge.id,
            badge_name=badge.title,
            badge_message=badge.description,
            axis=badge.axis,
            trigger_value=totals[badge.axis],
            threshold=badge.required_score,
            game_session_id=session_id,
            scenario_id=scenario_id,
            image_id=badge.image_id,
        )
        for badge in reached(there_are, totals, earned_ids(profile.earned_badges))
    ]
    if awards:
        profile = (await award_badges(profiles, profile.id, awards, clock=clock, maker=maker)).value
    brought = [each for each in profile.earned_badges if each.game_session_id == session_id]
    return reached(there_are, totals, earned_ids(profile.earned_badges) - earned_ids(brought))


def earned_ids(earned: Iterable[UserBadge]) -> set[str]:
    """The badges that were earned, by what they are known by."""
    return {each.badge_configuration_id for each in earned}


def progress(
    badges: Sequence[Badge],
    totals: Mapping[str, float],
    live_totals: Mapping[str, float],
    earned: Collection[str],
) -> list[AxisProgress]:
    """How far it is to the next badge on each axis that has badges or on which the profile moved."""
    axes = sorted({badge.axis for badge in badges} | set(totals) | set(live_totals))
    return [_progress_on(axis, badges, totals, live_totals, earned) for axis in axes]


def _progress_on(
    axis: str,
    badges: Sequence[Badge],
    totals: Mapping[str, float],
    live_totals: Mapping[str, float],
    earned: Collection[str],
) -> AxisProgress:
    own = [badge for badge in badges if badge.axis == axis]
    live = live_totals.get(axis, 0.0)
    following = next((badge for badge in own if badge.id not in earned), None)
    before = max((each.required_score for each in own if each.id in earned), default=0.0)
    return AxisProgress(
        axis=axis,
        total=totals.get(axis, 0.0),
        live_total=live,
        earned=[badge.id for badge in own if badge.id in earned],
        next=None if following is None else _next(following, live),
        share=1.0 if following is None else _share(before, following.required_score, live),
    )


def _next(badge: Badge, live: float) -> NextBadge:
    return NextBadge(
        badge_id=badge.id,
        tier=badge.tier,
        title=badge.title,
        description=badge.description,
        image_id=badge.image_id,
        required_score=badge.required_score,
        missing=round(max(0.0, badge.required_score - live), 6),
    )


def _share(before: float, required: float, live: float) -> float:
    if required <= before:
        return 1.0 if live >= required else 0.0
    return round(max(0.0, min(1.0, (live - before) / (required - before))), 4)
