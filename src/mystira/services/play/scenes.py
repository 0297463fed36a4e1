"""A story, scene by scene: what is read, what can be done, and what came of it.

Every page of a session has the same address, and shows where the session stands. A form says which scene it
was shown for and at which version, so that a second click, a page that went back, or another tab never takes
a step that nobody saw: whoever comes late is shown the present scene.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar.response.base import ASGIResponse
from msgspec import Meta, Struct

from manystore.repository import Stored
from mystira.domain.consents.rules import ConsentNeededError
from mystira.domain.errors import NotFoundError
from mystira.domain.forms import RecordId
from mystira.domain.profiles.use_cases import read_profile
from mystira.domain.scenarios.model import Scene
from mystira.domain.sessions import use_cases
from mystira.domain.sessions.errors import (
    NotInProgressError,
    NotPausedError,
    SceneNotCurrentError,
    SessionEndedError,
    StoryChangedError,
    WrongStepError,
)
from mystira.domain.sessions.events import ChoiceMade, DiceRolled, SceneLeft
from mystira.domain.sessions.model import (
    Choose,
    GameSession,
    ReadOn,
    Roll,
    SceneId,
    SceneNumber,
    SessionStatus,
)
from mystira.domain.sessions.play import Play
from mystira.domain.sessions.reading import read_session
from mystira.domain.sessions.rules import way_of
from mystira.domain.sessions.stories import Story
from mystira.domain.sessions.use_cases import Step, story_of
from mystira.services.play.catalogue import addresses, drawn_cover
from mystira.services.play.desk import HOME, Desk
from mystira.services.play.happenings import compass, happened, last_step, way_so_far
from mystira.services.play.rendering import see_other
from mystira.services.play.visits import NOTICE, Visit

_STALE: Final = "stale"
_NOTICE_SECONDS: Final = 60

_WAYS: Final = {"a choice": "choose", "a roll": "roll", "reading on": "read-on"}
_LATE: Final = (
    SceneNotCurrentError,
    WrongStepError,
    NotInProgressError,
    NotPausedError,
    SessionEndedError,
    StoryChangedError,
)
"""What whoever comes late is refused with: the page then shows where the session stands."""


class Sent(Struct, frozen=True):
    """A step as a form sends it, with the scene and the version for which the form was shown."""

    step: Literal["choose", "roll", "read-on"]
    scene: SceneId
    visit: SceneNumber
    version: Annotated[int, Meta(ge=1)]
    branch: Annotated[int, Meta(ge=0, le=999)] = 0


_ENDINGS: Final[dict[str, Callable[[Play, str], Awaitable[Step]]]] = {
    "pause": use_cases.pause,
    "complete": use_cases.complete,
    "abandon": use_cases.abandon,
}


_DEEDS: Final = frozenset({*_ENDINGS, "resume"})


class Scenes:
    """The pages of a session."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> ASGIResponse:
        """Where the session stands."""
        stored, play = await self._own(visit), self._desk.play
        session = stored.value
        story = await story_of(play, session)
        scene = None if story is None else story.scene(session.current_scene_id)
        is_stale = visit.cookies.get(NOTICE) == _STALE
        cookies = (visit.forget(NOTICE),) if NOTICE in visit.cookies else ()
        facts: dict[str, Any] = {
            "session": session,
            "version": stored.version,
            "is_stale": is_stale,
            "title": session.scenario_id if story is None else story.scenario.title,
            "scene": scene,
            "actor": _actor(story, scene),
            "step": None if scene is None else _WAYS.get(way_of(scene)),
            "happened": happened(session, story),
            "needles": compass(session),
            "way": way_so_far(session),
            **await self._pictures(story, scene, session),
        }
        template = _template(session, scene)
        if template == "end.html":
            facts |= await self._end(session)
        return self._desk.show(visit, template, cookies=cookies, **facts)

    async def _pictures(
        self, story: Story | None, scene: Scene | None, session: GameSession
    ) -> dict[str, Any]:
        """The cover, the scene's own picture and sound, and the pictures of badges, where there are any."""
        media, scenario = self._desk.media, None if story is None else story.scenario
        own = None if scene is None else scene.media
        badges = [each.image_id for each in session.achievements]
        cover = None if scenario is None else scenario.image
        image, audio = (None, None) if own is None else (own.image, own.audio)
        known = await addresses(media, [cover, image, *badges])
        sounds = await addresses(media, [audio], "audio")
        drawn = "" if scenario is None else drawn_cover(scenario.id)
        return {
            "cover": known.get(cover or "") or drawn,
            "picture": known.get(image or ""),
            "sound": sounds.get(audio or ""),
            "pictures": known,
        }

    async def _end(self, session: GameSession) -> dict[str, Any]:
        reader = (await read_profile(self._desk.play.profiles, session.profile_id)).value
        messages = {each.badge_configuration_id: each.badge_message for each in reader.earned_badges}
        return {"reader": reader, "messages": messages}

    async def act(self, visit: Visit) -> ASGIResponse:
        """Take a step, or pause, go on, or stop; then show where the session stands."""
        stored = await self._own(visit)
        address, asked = f"{HOME}/sessions/{stored.key}", visit.form.get("step", "")
        try:
            if asked in _DEEDS:
                await self._do(asked, stored.key)
                return see_other(self._after(asked, stored, address))
            sent = visit.sent(Sent)
            if _is_repeated(stored.value, sent):
                return see_other(address)
            if sent.version != stored.version:
                return self._late(visit, address)
            await self._step(stored, sent)
        except msgspec.ValidationError:
            return self._late(visit, address)
        except ConsentNeededError:
            return see_other(f"{HOME}/readers/{await self._waits(stored.value)}/allow")
        except _LATE:
            # Of two clicks at the same moment one was quicker; it may have been the same click.
            present = (await read_session(self._desk.play.sessions, stored.key)).value
            if asked in _DEEDS or _is_repeated(present, sent):
                return see_other(address)
            return self._late(visit, address)
        return see_other(address)

    async def _do(self, deed: str, session_id: str) -> None:
        if deed == "resume":
            await use_cases.resume(self._desk.play, session_id, may_join=self._desk.may_join)
        else:
            await _ENDINGS[deed](self._desk.play, session_id)

    async def _waits(self, session: GameSession) -> str:
        """The first of those who play whom no parent has allowed to."""
        for key in session.profile_ids:
            stored = await self._desk.play.profiles.get(key)
            if stored is not None and not await self._desk.is_allowed(stored.value):
                return key
        return session.profile_id

    def _after(self, deed: str, stored: Stored[GameSession], address: str) -> str:
        return f"{HOME}/readers/{stored.value.profile_id}" if deed == "abandon" else address

    def _late(self, visit: Visit, address: str) -> ASGIResponse:
        return see_other(address, cookies=(visit.keep(NOTICE, _STALE, seconds=_NOTICE_SECONDS),))

    async def _step(self, stored: Stored[GameSession], sent: Sent) -> Step:
        play, key = self._desk.play, stored.key
        where: dict[str, Any] = {"scene_id": sent.scene, "scene_count": sent.visit}
        if sent.step == "choose":
            return await use_cases.choose(play, key, Choose(branch=sent.branch, **where), known=stored)
        if sent.step == "roll":
            return await use_cases.roll(play, key, Roll(**where), known=stored)
        return await use_cases.read_on(play, key, ReadOn(**where), known=stored)

    async def _own(self, visit: Visit) -> Stored[GameSession]:
        """The session that the path names. Raises NotFoundError for none, and for another family's."""
        assert visit.account is not None, "these pages are for whoever is signed in"
        try:
            key = msgspec.convert(visit.path["session_id"].lower(), RecordId)
        except msgspec.ValidationError:
            raise NotFoundError(kind="game_sessions", key=visit.path["session_id"]) from None
        stored = await read_session(self._desk.play.sessions, key)
        if stored.value.account_id.lower() != visit.account.id.lower():
            raise NotFoundError(kind="game_sessions", key=key)
        return stored


def _actor(story: Story | None, scene: Scene | None) -> str | None:
    """The name of the character who acts in a scene, if it is anybody in particular."""
    if story is None or scene is None or scene.active_character is None:
        return None
    named = (each.name for each in story.scenario.characters if each.id == scene.active_character)
    return next(named, None)


def _template(session: GameSession, scene: Scene | None) -> str:
    if session.status is SessionStatus.COMPLETED:
        return "end.html"
    if session.status is SessionStatus.PAUSED:
        return "paused.html"
    if session.status is SessionStatus.ABANDONED or scene is None or not session.events:
        return "over.html"
    return "scene.html"


def _is_repeated(session: GameSession, sent: Sent) -> bool:
    """Whether the step that was sent is the very one by which the session came to where it is."""
    step = last_step(session)
    if step is None or step.scene_id != sent.scene or session.scene_count != sent.visit + 1:
        return False
    if isinstance(step, ChoiceMade):
        return sent.step == "choose" and step.branch == sent.branch
    return sent.step == ("roll" if isinstance(step, DiceRolled) else "read-on") and isinstance(
        step, (DiceRolled, SceneLeft)
    )
