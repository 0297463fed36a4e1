"""What play works with, put together once by whoever runs it."""

import random
from collections.abc import Awaitable, Callable

from msgspec import Struct

from manystore.clock import Clock
from manystore.repository import Repository
from mystira.domain.accounts.model import Account
from mystira.domain.accounts.use_cases import Accounts
from mystira.domain.badges.use_cases import Badges
from mystira.domain.compass.use_cases import Trackings
from mystira.domain.ids import MakeId, make_id
from mystira.domain.profiles.model import UserProfile
from mystira.domain.profiles.use_cases import Profiles
from mystira.domain.scenarios.model import Scenario
from mystira.domain.scores.use_cases import Scores
from mystira.domain.sessions.model import GameSession
from mystira.domain.sessions.stories import Stories

Sessions = Repository[GameSession]

MayPlay = Callable[[Account, Scenario], Awaitable[bool]]
"""Whether an account has access to a story; may raise a DomainError instead, which says what would help."""

MayJoin = Callable[[UserProfile], Awaitable[None]]
"""Raises a DomainError unless somebody may play: of a child, a parent has to have allowed it."""

MayTrack = Callable[[str], Awaitable[bool]]
"""Whether the movements of the profile of an id may be kept for analytics."""


async def anybody(profile: UserProfile) -> None:
    """MayJoin for those who run the platform: they answer for having been allowed to."""


class Play(Struct, frozen=True, kw_only=True):
    """Repositories, stories, a clock, ids, and the dice."""

    sessions: Sessions
    scores: Scores
    accounts: Accounts
    profiles: Profiles
    badges: Badges
    trackings: Trackings
    stories: Stories
    clock: Clock
    dice: random.Random
    may_track: MayTrack
    maker: MakeId = make_id
