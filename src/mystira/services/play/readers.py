"""Those who read: a family's profiles, the shelf of each, and the badges that each has."""

import asyncio
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar.response.base import ASGIResponse
from msgspec import Struct

from mystira.domain.accounts.model import Account
from mystira.domain.bundles.access import Access
from mystira.domain.consents.rules import ConsentNeededError, guarded
from mystira.domain.errors import MissingParentError, NotFoundError
from mystira.domain.forms import AgeGroupSpan, ContentId, FilledLine
from mystira.domain.profiles.model import NewProfile, UserBadge, UserProfile
from mystira.domain.profiles.use_cases import create_profile
from mystira.domain.scores.use_cases import all_scores
from mystira.domain.sessions.errors import NotEntitledError, TooYoungError
from mystira.domain.sessions.model import NewPlayer, NewSession, SessionSearch
from mystira.domain.sessions.reading import list_sessions, read_progress
from mystira.domain.sessions.starting import start_session
from mystira.services.play.catalogue import Tale, addresses, drawn_cover, tales_for
from mystira.services.play.desk import HOME, Desk
from mystira.services.play.families import account_of, reader_of
from mystira.services.play.rendering import see_other
from mystira.services.play.visits import Visit

AGES: Final = {
    "1-2": "1 to 2",
    "3-5": "3 to 5",
    "6-9": "6 to 9",
    "10-12": "10 to 12",
    "13-18": "13 to 18",
    "19-150": "Grown-up",
}
_NAME: Final = "Please give a name: a first name or a nickname is enough."
_ONE_WORD: Final = "For a child, one word is enough: a first name or a nickname."
_AGE: Final = "Please choose how old you are."
_MOST_BEGUN: Final = 12


class _Reader(Struct, frozen=True):
    name: FilledLine
    age: AgeGroupSpan


class _Beginning(Struct, frozen=True):
    character: ContentId | None = None


class Card(Struct, frozen=True, kw_only=True):
    """A story on a shelf."""

    tale: Tale
    cover: str
    access: Access
    is_read: bool


class Begun(Struct, frozen=True, kw_only=True):
    """A story that waits to be read on."""

    session_id: str
    title: str
    cover: str
    is_paused: bool


class Readers:
    """The pages of a family's readers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def new(self, visit: Visit) -> ASGIResponse:
        """The form for a new reader."""
        return self._form(visit, name="", age="", complaints={}, status=HTTPStatus.OK)

    async def make(self, visit: Visit) -> ASGIResponse:
        """Make a reader."""
        name, age = visit.form.get("name", ""), visit.form.get("age", "")
        complaints = {} if age in AGES else {"age": _AGE}
        try:
            msgspec.convert(name, FilledLine)
        except msgspec.ValidationError:
            complaints = {"name": _NAME} | complaints
        if complaints:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            return self._form(visit, name=name, age=age, complaints=complaints, status=status)
        play, account = self._desk.play, account_of(visit)
        new = NewProfile(name=name, account_id=account.id, age_group=age, has_completed_onboarding=True)
        now = play.clock.now()
        # Whether a child may be shown by more than a first name is a parent's to say, and not said here.
        if any(guarded(None, UserProfile(id="", created_at=now, name=name, age_group=age), now.date())):
            status, complaints = HTTPStatus.UNPROCESSABLE_ENTITY, {"name": _ONE_WORD}
            return self._form(visit, name=name, age=age, complaints=complaints, status=status)
        made = await create_profile(play.profiles, play.accounts, new, clock=play.clock, maker=play.maker)
        is_allowed = await self._desk.is_allowed(made.value)
        return see_other(f"{HOME}/readers/{made.key}" + ("" if is_allowed else "/allow"))

    def _form(
        self, visit: Visit, *, name: str, age: str, complaints: dict[str, str], status: int
    ) -> ASGIResponse:
        return self._desk.show(
            visit, "new_reader.html", status=status, name=name, age=age, ages=AGES, complaints=complaints
        )

    async def shelf(self, visit: Visit) -> ASGIResponse:
        """The stories of a reader."""
        reader, account, desk = (
            await reader_of(self._desk.play.profiles, visit),
            account_of(visit),
            self._desk,
        )
        tales = await tales_for(desk.tales, reader.age_group)
        known = await addresses(desk.media, (tale.image for tale in tales))
        # The account knows what was read as well, but not by whom of the family.
        read = {score.scenario_id for score in await all_scores(desk.play.scores, reader.id)}
        cards = [
            Card(
                tale=tale,
                cover=known.get(tale.image or "") or drawn_cover(tale.id),
                access=await desk.access(account, tale.id),
                is_read=tale.id in read,
            )
            for tale in tales
        ]
        return desk.show(
            visit,
            "shelf.html",
            reader=reader,
            is_allowed=await desk.is_allowed(reader),
            begun=await self._begun(account, reader, {card.tale.id: card for card in cards}),
            own=[card for card in cards if card.tale.age_group == reader.age_group],
            others=[card for card in cards if card.tale.age_group != reader.age_group],
        )

    async def _begun(self, account: Account, reader: UserProfile, cards: dict[str, Card]) -> list[Begun]:
        """What the reader has begun, the latest first."""
        search = SessionSearch(
            account_id=account.id, profile_id=reader.id, is_live=True, order="-updatedAt", limit=_MOST_BEGUN
        )
        begun = []
        for stored in (await list_sessions(self._desk.play.sessions, search)).items:
            session, card = stored.value, cards.get(stored.value.scenario_id)
            # One that comes from a former system cannot be read on.
            if card is not None and session.events:
                begun.append(
                    Begun(
                        session_id=session.id,
                        title=card.tale.title,
                        cover=card.cover,
                        is_paused=session.status.value == "Paused",
                    )
                )
        return begun

    async def story(self, visit: Visit) -> ASGIResponse:
        """What a story is about, and who one may be in it."""
        return await self._story(visit, complaint=None, status=HTTPStatus.OK)

    async def _story(self, visit: Visit, *, complaint: str | None, status: int) -> ASGIResponse:
        reader, desk = await reader_of(self._desk.play.profiles, visit), self._desk
        story = await desk.play.stories.story(visit.path["scenario_id"])
        scenario = story.scenario
        if not scenario.is_active:
            raise NotFoundError(kind="scenarios", key=story.id)
        names = (scenario.image, *(each.image for each in scenario.characters))
        known = await addresses(desk.media, names)
        facts: dict[str, Any] = {
            "reader": reader,
            "is_allowed": await desk.is_allowed(reader),
            "story": scenario,
            "cover": known.get(scenario.image or "") or drawn_cover(scenario.id),
            "pictures": known,
            "is_open": await desk.access(account_of(visit), scenario.id) is not Access.NONE,
            "complaint": complaint,
        }
        return desk.show(visit, "story.html", status=status, **facts)

    async def begin(self, visit: Visit) -> ASGIResponse:
        """Begin a story, or go on with it."""
        reader = await reader_of(self._desk.play.profiles, visit)
        try:
            character = visit.sent(_Beginning).character if visit.form.get("character") else None
        except msgspec.ValidationError:
            character = None
        player = NewPlayer(profile_id=reader.id, character_id=character)
        new = NewSession(scenario_id=visit.path["scenario_id"], profile_id=reader.id, players=[player])
        try:
            begun = await start_session(
                self._desk.play,
                new,
                account_of(visit).id,
                may_play=self._desk.may_play,
                may_join=self._desk.may_join,
            )
        except ConsentNeededError:
            return see_other(f"{HOME}/readers/{reader.id}/allow")
        except MissingParentError as error:
            raise NotFoundError(kind=error.parent_kind, key=error.parent_key) from error
        except TooYoungError:
            complaint, status = "This story is for older readers.", HTTPStatus.UNPROCESSABLE_ENTITY
            return await self._story(visit, complaint=complaint, status=status)
        except NotEntitledError:
            complaint, status = "This story is not on your shelf yet.", HTTPStatus.FORBIDDEN
            return await self._story(visit, complaint=complaint, status=status)
        return see_other(f"{HOME}/sessions/{begun.stored.key}")

    async def badges(self, visit: Visit) -> ASGIResponse:
        """The badges that a reader has, and how far it is to the next ones."""
        reader, desk = await reader_of(self._desk.play.profiles, visit), self._desk
        progress = await read_progress(desk.play, reader)
        earned = list(reversed(reader.earned_badges))
        names = [each.image_id for each in earned]
        names += [each.next.image_id for each in progress if each.next is not None]
        return desk.show(
            visit,
            "badges.html",
            reader=reader,
            earned=earned,
            progress=[each for each in progress if each.next is not None],
            tiers_of=await self._tiers(earned),
            pictures=await addresses(desk.media, names),
        )

    async def _tiers(self, earned: list[UserBadge]) -> dict[str, str]:
        """The tiers of badges that were earned, of those that are still given."""
        keys = [each.badge_configuration_id for each in earned]
        badges = await asyncio.gather(*(self._desk.play.badges.get(key) for key in keys))
        return {stored.key: stored.value.tier for stored in badges if stored is not None}
