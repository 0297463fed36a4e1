"""How a session begins: who may begin which story, and with whom; one live session at a time."""

from typing import Final

from msgspec import Struct

from manystore.repository import Stored
from manystore.specifications import Specification, field
from mystira.domain.accounts.model import Account
from mystira.domain.errors import (
    ContendedError,
    DomainError,
    MissingParentError,
    NotFoundError,
    NotUniqueError,
)
from mystira.domain.profiles.model import UserProfile
from mystira.domain.records import ATTEMPTS, create_record, delete_record, read_record
from mystira.domain.sessions import rules
from mystira.domain.sessions.errors import NotEntitledError
from mystira.domain.sessions.events import Player, SessionStarted
from mystira.domain.sessions.model import GameSession, NewSession, live_key
from mystira.domain.sessions.play import MayJoin, MayPlay, Play
from mystira.domain.sessions.stories import Story

_KIND: Final = "game_sessions"


class Begun(Struct, frozen=True, kw_only=True):
    """A session that goes on from here; `is_new` is False where it was live already."""

    stored: Stored[GameSession]
    story: Story
    is_new: bool

    @property
    def version(self) -> int:
        """The session's version."""
        return self.stored.version


async def start_session(
    play: Play,
    new: NewSession,
    account_id: str,
    *,
    may_play: MayPlay,
    may_join: MayJoin,
    session_id: str | None = None,
) -> Begun:
    """Begin a story, or go on with the live session that the profile has of it already.

    Raises MissingParentError (account, profile, story: absent, not the account's, or withdrawn), what
    `may_join` raises (of the owner, and of each profile that is to play along), NotEntitledError,
    TooYoungError, InvalidValueError, AlreadyExistsError (the `session_id`), ContendedError.
    """
    key = play.maker() if session_id is None else session_id
    account = await _account(play, key, account_id)
    story = await _story(play, key, new.scenario_id)
    owner = await _profile(play, key, account_id, new.profile_id)
    await may_join(owner)
    unique = live_key(account_id, new.scenario_id, new.profile_id)
    for _ in range(ATTEMPTS):
        live = await _live(play, account_id, unique)
        if live is not None:
            return Begun(stored=live, story=story, is_new=False)
        await _check_access(account, story, may_play)
        group = new.target_age_group or owner.age_group
        rules.check_age(story.scenario, group)
        seated = await _seated(play, new, account_id, owner)
        players = rules.seat(new.players, {each.id: each.name for each in seated}, story.scenario)
        for each in seated:
            await may_join(each)
        session = rules.begin(story, _start(play, key, new, account_id, group, players, story))
        try:
            stored = await create_record(play.sessions, session)
        except NotUniqueError:
            # Somebody began it at the same moment: theirs is the one, unless it has ended by now.
            continue
        await _settle(play, stored, seated, may_join)
        return Begun(stored=stored, story=story, is_new=True)
    raise ContendedError(kind=_KIND, key=key, attempts=ATTEMPTS)


def _start(
    play: Play,
    key: str,
    new: NewSession,
    account_id: str,
    group: str,
    players: list[Player],
    story: Story,
) -> SessionStarted:
    return SessionStarted(
        at=play.clock.now(),
        session_id=key,
        scenario_id=new.scenario_id,
        account_id=account_id,
        profile_id=new.profile_id,
        players=players,
        first_scene_id=story.scenario.first_scene.id,
        target_age_group=group,
        axes=list(dict.fromkeys(story.scenario.core_axes)),
    )


async def _live(play: Play, account_id: str, unique: str) -> Stored[GameSession] | None:
    where = (field("accountId") == account_id) & (field("liveKey") == unique)
    found = await play.sessions.find(Specification(where=where, limit=1))
    return found.items[0] if found.items else None


async def _account(play: Play, key: str, account_id: str) -> Account:
    try:
        return (await read_record(play.accounts, account_id)).value
    except NotFoundError as error:
        raise _missing(key, "accountId", "accounts", account_id) from error


async def _story(play: Play, key: str, scenario_id: str) -> Story:
    try:
        story = await play.stories.story(scenario_id)
    except NotFoundError as error:
        raise _missing(key, "scenarioId", "scenarios", scenario_id) from error
    if not (story.scenario.is_active and story.scenario.scenes):
        # To players, what is not published is not there.
        raise _missing(key, "scenarioId", "scenarios", scenario_id)
    return story


async def _profile(play: Play, key: str, account_id: str, profile_id: str) -> UserProfile:
    profile = await _own_profile(play, account_id, profile_id)
    if profile is None:
        raise _missing(key, "profileId", "user_profiles", profile_id)
    return profile


async def _own_profile(play: Play, account_id: str, profile_id: str) -> UserProfile | None:
    """The profile, if it belongs to the account. Old data may spell ids in capitals."""
    stored = await play.profiles.get(profile_id)
    is_own = stored is not None and (stored.value.account_id or "").lower() == account_id.lower()
    return stored.value if stored is not None and is_own else None


def _missing(key: str, name: str, parent_kind: str, parent_key: str) -> MissingParentError:
    return MissingParentError(kind=_KIND, key=key, field=name, parent_kind=parent_kind, parent_key=parent_key)


async def _check_access(account: Account, story: Story, may_play: MayPlay) -> None:
    if not await may_play(account, story.scenario):
        raise NotEntitledError(scenario=story.id)


async def _seated(play: Play, new: NewSession, account_id: str, owner: UserProfile) -> list[UserProfile]:
    """The owner, and the other profiles of the account that are to play along."""
    seated = {owner.id: owner}
    for each in new.players:
        if each.profile_id is not None and each.profile_id not in seated:
            profile = await _own_profile(play, account_id, each.profile_id)
            if profile is not None:
                seated[profile.id] = profile
    return list(seated.values())


async def _settle(
    play: Play, stored: Stored[GameSession], seated: list[UserProfile], may_join: MayJoin
) -> None:
    """Look again at what may have changed between our look and our write: the account may have been deleted,
    or a consent taken back.

    Then either that step sees this session or this look sees the step, whichever came first.
    """
    account_id = stored.value.account_id
    if await play.accounts.get(account_id) is None:
        await delete_record(play.sessions, stored.key)
        raise _missing(stored.key, "accountId", "accounts", account_id)
    try:
        for each in seated:
            await may_join(each)
    except DomainError:
        await delete_record(play.sessions, stored.key)
        raise
