"""Play as players' apps ask for it: begin, take steps, look back, stop."""

import functools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from manystore.repository import Stored
from mystira.domain.errors import InvalidValueError, MissingParentError
from mystira.domain.forms import Instant, times_in_utc
from mystira.domain.sessions import use_cases
from mystira.domain.sessions.model import Choose, GameSession, NewSession, ReadOn, Roll, SessionSearch
from mystira.domain.sessions.play import MayJoin, MayPlay, Play, anybody
from mystira.domain.sessions.reading import list_sessions, read_session, session_after, session_as_of
from mystira.domain.sessions.starting import Begun, start_session
from mystira.domain.sessions.use_cases import Step, story_of
from mystira.gateways.idempotency import IdempotencyKeys
from mystira.http.callers import SIGNED_IN, Owner
from mystira.http.etags import etag
from mystira.http.idempotency import Creation, create_once
from mystira.http.operations import Answer, Call, Operation, show, show_unchanged, show_version
from mystira.http.problems import ProblemError
from mystira.http.queries import Nothing
from mystira.services.app_api.answers import PREFIX, Page
from mystira.services.app_api.session_views import (
    SessionDetail,
    SessionSummary,
    SessionView,
    StepView,
    detail_of,
    step_of,
    summary_of,
    view_of,
)

Do = Callable[[Play, str], Awaitable[Step]]
Handle = Callable[[Call[Nothing]], Awaitable[Answer]]

_STEP_REFUSES = (
    "not_found",
    "scene_not_current",
    "wrong_step",
    "session_not_in_progress",
    "session_not_playable",
    "story_changed",
    "contended",
)


_just_read: ContextVar[Stored[GameSession] | None] = ContextVar("just_read", default=None)
"""The session by which it was found whose it is: the largest record of a step need not be read twice."""


def _known(session_id: str) -> Stored[GameSession] | None:
    stored = _just_read.get()
    return stored if stored is not None and stored.key == session_id else None


class Moment(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """As of when a session is shown: at an instant, or after so many events; as it stands where neither."""

    as_of: Instant | None = None
    at: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


class Starting(Creation[Begun], frozen=True, kw_only=True):
    """The creation of a session, which may turn out to be there already."""

    def show(self, record: Begun) -> Answer:
        """201 where it was made, 200 where it was live."""
        status = HTTPStatus.CREATED if record.is_new else HTTPStatus.OK
        return show(self.view(record), status=status, headers=self.headers(record))


class SessionRoutes:
    """What each operation on sessions does."""

    def __init__(self, play: Play, keys: IdempotencyKeys, may_play: MayPlay, may_join: MayJoin) -> None:
        self._play, self._keys, self._may_play, self._may_join = play, keys, may_play, may_join

    def _joining(self, call: Call[Any]) -> MayJoin:
        return anybody if call.caller.reaches_all else self._may_join

    async def start(self, call: Call[NewSession]) -> Answer:
        """Begin a story, in the caller's account where no other is named."""
        account_id = _account_of(call)

        async def make(session_id: str | None) -> Begun:
            return await start_session(
                self._play,
                call.sent,
                account_id,
                may_play=self._may_play,
                may_join=self._joining(call),
                session_id=session_id,
            )

        async def read(session_id: str) -> Begun:
            stored = await read_session(self._play.sessions, session_id)
            story = await self._play.stories.story(stored.value.scenario_id)
            return Begun(stored=stored, story=story, is_new=True)

        def view(begun: Begun) -> SessionView:
            stored = begun.stored
            return view_of(stored.value, stored.version, begun.story, self._play.clock.now())

        starting = Starting(
            name="startSession",
            make=make,
            read=read,
            headers=lambda begun: {
                "Location": f"{PREFIX}/sessions/{begun.stored.key}",
                "ETag": etag(begun.version),
            },
            view=view,
        )
        return await create_once(self._keys, call, starting)

    async def search(self, call: Call[SessionSearch]) -> Answer:
        """A page of sessions: the caller's, or all for whoever reaches all."""
        caller, search = call.caller, call.sent
        if search.account_id is None and not caller.reaches_all:
            search = msgspec.structs.replace(search, account_id=caller.account_id)
        elif search.account_id is not None and not caller.reaches(search.account_id):
            return show(Page[SessionSummary](items=[], continuation=None))
        found = await list_sessions(self._play.sessions, search)
        now = self._play.clock.now()
        items = [summary_of(stored, now) for stored in found.items]
        return show(Page(items=items, continuation=found.continuation))

    async def read(self, call: Call[Moment]) -> Answer:
        """One session, as it stands or as it stood."""
        stored = await read_session(self._play.sessions, call.path["sessionId"])
        if call.knows(stored.version):
            return show_unchanged(stored.version)
        session = _as_of(stored, call.sent)
        story = await story_of(self._play, session)
        now = self._play.clock.now()
        return show_version(detail_of(session, stored.version, story, now), stored.version)

    async def choose(self, call: Call[Choose]) -> Answer:
        """Take a branch."""
        key = call.path["sessionId"]
        return self._show(await use_cases.choose(self._play, key, call.sent, known=_known(key)))

    async def read_on(self, call: Call[ReadOn]) -> Answer:
        """Leave a scene that asks nothing."""
        key = call.path["sessionId"]
        return self._show(await use_cases.read_on(self._play, key, call.sent, known=_known(key)))

    async def roll(self, call: Call[Roll]) -> Answer:
        """Throw the d20."""
        key = call.path["sessionId"]
        return self._show(await use_cases.roll(self._play, key, call.sent, known=_known(key)))

    async def do(self, deed: Do, call: Call[Nothing]) -> Answer:
        """Pause, complete or abandon."""
        return self._show(await deed(self._play, call.path["sessionId"]))

    async def resume(self, call: Call[Nothing]) -> Answer:
        """Go on with what was laid aside."""
        key, may_join = call.path["sessionId"], self._joining(call)
        return self._show(await use_cases.resume(self._play, key, may_join=may_join))

    def _show(self, step: Step) -> Answer:
        return show_version(step_of(step, self._play.clock.now()), step.stored.version)


def _as_of(stored: Stored[GameSession], moment: Moment) -> GameSession:
    if moment.as_of is not None and moment.at is not None:
        raise InvalidValueError(field="at", reason="give either a number of events or an instant, not both")
    if moment.at is not None:
        return session_after(stored.value, moment.at)
    instant = times_in_utc(moment).as_of
    return stored.value if instant is None else session_as_of(stored.value, instant)


def _account_of(call: Call[NewSession]) -> str:
    """The account for which a session is begun.

    Raises MissingParentError for somebody else's account, as for one that is not there.
    """
    named, caller = call.sent.account_id, call.caller
    account_id = caller.account_id if named is None else named
    if account_id is None:
        detail = "Say for which account: this sign-in belongs to none."
        raise ProblemError("missing_field", detail, path="accountId")
    if not caller.reaches(account_id):
        raise MissingParentError(
            kind="game_sessions", key="", field="accountId", parent_kind="accounts", parent_key=account_id
        )
    return account_id


def session_owner(play: Play) -> Owner:
    """The account of the session that `sessionId` names."""

    async def find(session_id: str) -> str | None:
        stored = await read_session(play.sessions, session_id)
        _just_read.set(stored)
        return stored.value.account_id

    return Owner(kind=play.sessions.kind.name, parameter="sessionId", find=find)


def session_operations(
    play: Play, keys: IdempotencyKeys, *, may_play: MayPlay, may_join: MayJoin
) -> tuple[Operation[Any], ...]:
    """What can be asked about sessions."""
    routes, owner = SessionRoutes(play, keys, may_play, may_join), session_owner(play)
    return (*_many(routes), _one(routes, owner), *_steps(routes, owner), *_course(routes, owner))


def _many(routes: SessionRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="play", path="/sessions", allows=SIGNED_IN)
    return (
        operation(
            method="POST",
            name="startSession",
            summary="Begin a story",
            description=(
                "For a profile of the caller's account, with profiles and guests as players. There is one "
                "live session for each story and profile: begun again, that one is answered, with 200. For a "
                "child a parent has to have consented to `play`."
            ),
            takes=NewSession,
            handle=routes.start,
            answers={201: SessionView, 200: SessionView},
            refuses=(
                "missing_parent",
                "consent_needed",
                "not_bought",
                "too_young",
                "already_exists",
                "contended",
                "not_representable",
            ),
            keyed=True,
            versioned=True,
            example={
                "scenarioId": "the-lost-lantern",
                "profileId": "01941f29-7c00-7bbb-9bbb-bbbbbbbbbbbb",
                "players": [
                    {"profileId": "01941f29-7c00-7bbb-9bbb-bbbbbbbbbbbb", "characterId": "fox"},
                    {"name": "Grandma"},
                ],
            },
        ),
        operation(
            method="GET",
            name="listSessions",
            summary="List sessions",
            description="Those of the caller's account, the latest first. All conditions given must hold.",
            takes=SessionSearch,
            handle=routes.search,
            answers={200: Page[SessionSummary]},
            refuses=("invalid_continuation",),
        ),
    )


def _one(routes: SessionRoutes, owner: Owner) -> Operation[Any]:
    return Operation(
        method="GET",
        path="/sessions/{sessionId}",
        tag="play",
        name="getSession",
        summary="Read a session",
        description=(
            "With all that happened in it. With `asOf` or `at` it is told as it stood at an earlier moment."
        ),
        takes=Moment,
        handle=routes.read,
        answers={200: SessionDetail},
        refuses=("not_found", "invalid_value", "session_not_playable"),
        allows=SIGNED_IN,
        owner=owner,
        revalidates=True,
        versioned=True,
    )


def _steps(routes: SessionRoutes, owner: Owner) -> tuple[Operation[Any], ...]:
    operation = functools.partial(
        Operation,
        method="POST",
        tag="play",
        answers={200: StepView},
        refuses=_STEP_REFUSES,
        allows=SIGNED_IN,
        owner=owner,
        versioned=True,
    )
    return (
        operation(
            path="/sessions/{sessionId}/choices",
            name="choose",
            summary="Take a branch of the current scene",
            description=(
                "Of two choices made at once, one is made, and the other refused. The movement counts for "
                "whoever holds the scene's active character, else for the player named, else for the owner."
            ),
            takes=Choose,
            handle=routes.choose,
            example={"sceneId": "crossroads", "branch": 0},
        ),
        operation(
            path="/sessions/{sessionId}/read-on",
            name="readOn",
            summary="Leave a scene that asks nothing",
            takes=ReadOn,
            handle=routes.read_on,
            example={"sceneId": "forest-gate"},
        ),
        operation(
            path="/sessions/{sessionId}/rolls",
            name="roll",
            summary="Throw the d20 for the current scene",
            description="At or above the scene's difficulty the first branch is taken, else the second.",
            takes=Roll,
            handle=routes.roll,
            example={"sceneId": "river"},
        ),
    )


def _course(routes: SessionRoutes, owner: Owner) -> tuple[Operation[Any], ...]:
    do = functools.partial(functools.partial, routes.do)
    deeds: tuple[tuple[str, Handle, str, tuple[str, ...], str], ...] = (
        ("pause", do(use_cases.pause), "Lay a session aside", ("session_not_in_progress",), ""),
        (
            "resume",
            routes.resume,
            "Take a session up again",
            ("session_not_paused", "consent_needed"),
            "Where a child plays along, a parent still has to consent to `play`.",
        ),
        (
            "complete",
            do(use_cases.complete),
            "End a story where the players are, so that it counts",
            ("session_ended",),
            "Reaching an end completes a session by itself; of one that is complete, nothing changes.",
        ),
        (
            "abandon",
            do(use_cases.abandon),
            "Give a story up",
            ("session_ended",),
            "It counts for nothing. Of a session that is abandoned, nothing changes.",
        ),
    )
    return tuple(
        Operation(
            method="POST",
            path=f"/sessions/{{sessionId}}/{name}",
            tag="play",
            name=f"{name}Session",
            summary=summary,
            description=description,
            takes=Nothing,
            handle=handle,
            answers={200: StepView},
            refuses=("not_found", *codes, "session_not_playable", "contended"),
            allows=SIGNED_IN,
            owner=owner,
            versioned=True,
        )
        for name, handle, summary, codes, description in deeds
    )
