"""What a profile has earned, and how far it is to what comes next, as players' apps see it."""

from typing import Any

from msgspec import Struct

from mystira.domain.badges.use_cases import AxisProgress
from mystira.domain.profiles.model import UserBadge
from mystira.domain.profiles.use_cases import read_profile
from mystira.domain.sessions.play import Play
from mystira.domain.sessions.reading import read_progress
from mystira.http.callers import SIGNED_IN, Owner
from mystira.http.operations import Answer, Call, Operation, show
from mystira.http.queries import Nothing


class ProfileBadges(Struct, frozen=True, kw_only=True, rename="camel"):
    """Earned badges, in the order in which they came, and the progress towards the next tier of each axis."""

    profile_id: str
    age_group: str
    earned: list[UserBadge]
    progress: list[AxisProgress]


def badge_operations(play: Play, owner: Owner) -> tuple[Operation[Any], ...]:
    """What can be asked about badges."""

    async def read(call: Call[Nothing]) -> Answer:
        profile = (await read_profile(play.profiles, call.path["profileId"])).value
        return show(
            ProfileBadges(
                profile_id=profile.id,
                age_group=profile.age_group,
                earned=profile.earned_badges,
                progress=await read_progress(play, profile),
            )
        )

    return (
        Operation(
            method="GET",
            path="/profiles/{profileId}/badges",
            tag="play",
            name="getBadges",
            summary="Read a profile's badges, and its progress to the next",
            description="The progress counts what is being played just now.",
            takes=Nothing,
            handle=read,
            answers={200: ProfileBadges},
            refuses=("not_found",),
            allows=SIGNED_IN,
            owner=owner,
        ),
    )
