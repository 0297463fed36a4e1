"""What every page needs, and the way from a request to a page: who visits, whose form it is, what failed."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from msgspec import Struct

from manystore.errors import DrainingError, UnavailableError
from manystore.repository import Repository
from mystira.domain.accounts.model import Account
from mystira.domain.bundles.access import Access, story_access
from mystira.domain.bundles.shelf import Shelf
from mystira.domain.consents.playing import playing_rule
from mystira.domain.consents.rules import ConsentNeededError
from mystira.domain.consents.use_cases import Guardianship
from mystira.domain.media.model import MediaAsset
from mystira.domain.profiles.model import UserProfile
from mystira.domain.scenarios.model import Scenario
from mystira.domain.sessions.play import MayJoin, Play
from mystira.domain.signing_in.sign_ins import recognise
from mystira.domain.signing_in.use_cases import Reception
from mystira.gateways.outside import Outside
from mystira.http.admission import Admission
from mystira.http.entrance import note_failure
from mystira.http.operations import Verb, header_of, make_route
from mystira.http.refusals import refusal
from mystira.services.play.catalogue import Tales
from mystira.services.play.rendering import Cookies, page, see_other
from mystira.services.play.visits import SIGN_IN, ForeignFormError, Visit, read_visit

Show = Callable[["Visit"], Awaitable[ASGIResponse]]

HOME: Final = "/play"

log = structlog.get_logger(__name__)

_NOT_HERE: Final = ("This page is not here", "Perhaps it has moved, or it belongs to another family.")
_TROUBLES: Final[Mapping[int, tuple[str, str]]] = {
    HTTPStatus.NOT_FOUND: _NOT_HERE,
    HTTPStatus.TOO_MANY_REQUESTS: ("A little too often", "Let us rest for a while, and then try again."),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "Just a moment",
        "We are tidying up behind the stage. Nothing is lost. Please try again in a moment.",
    ),
    HTTPStatus.CONFLICT: ("Somebody was quicker", "Please try again."),
    HTTPStatus.FORBIDDEN: ("A grown-up is needed", "This is something that a grown-up has to allow."),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "Something went wrong",
        "It is our fault, not yours. Please try again.",
    ),
}
_ANY_TROUBLE: Final = ("That did not work", "Please go back and try again.")
_OLD_FORM: Final = (
    "This page was open for too long",
    "You have signed in or out since, or cookies are switched off. Please go on from the start.",
)


class Desk(Struct, frozen=True, kw_only=True):
    """What the pages stand on. `has_mailbox` where letters are shown on a page instead of being sent."""

    play: Play
    reception: Reception
    guardianship: Guardianship
    admission: Admission
    outside: Outside
    bundles: Shelf
    tales: Tales
    media: Repository[MediaAsset]

    @property
    def has_mailbox(self) -> bool:
        """Whether letters are shown on a page instead of being sent."""
        return self.outside.mailbox is not None

    async def access(self, account: Account, scenario_id: str) -> Access:
        """Why the account may play a story, or that it may not."""
        bundles, now = await self.bundles.bundles(), self.play.clock.now()
        return story_access(account.subscription, scenario_id, bundles, now)

    async def may_play(self, account: Account, scenario: Scenario) -> bool:
        """Whether the account may play a story, as beginning one asks (MayPlay)."""
        return await self.access(account, scenario.id) is not Access.NONE

    @property
    def may_join(self) -> MayJoin:
        """Raises ConsentNeededError for a child whose playing no parent has allowed."""
        return playing_rule(self.guardianship.consents, self.guardianship.clock)

    async def is_allowed(self, reader: UserProfile) -> bool:
        """Whether a reader may play: who is no child, or whom a parent has allowed to."""
        try:
            await self.may_join(reader)
        except ConsentNeededError:
            return False
        return True

    def route(
        self, method: Verb, path: str, name: str, show: Show, *, is_open: bool = False
    ) -> HTTPRouteHandler:
        """A page as the framework knows it; for whoever is signed in, unless it `is_open` to all."""

        async def answer(request: Request[Any, Any, Any]) -> ASGIResponse:
            visit: Visit | None = None
            try:
                visit = await self._welcome(await read_visit(request))
                if method == "POST":
                    site = header_of(request.scope["headers"], b"sec-fetch-site")
                    visit.require_own_form(self.reception.key, site)
                if visit.account is None and not is_open:
                    return see_other(HOME)
                return await show(visit)
            except ForeignFormError:
                return self._apologise(visit, _OLD_FORM, HTTPStatus.FORBIDDEN)
            except Exception as error:  # noqa: BLE001 - people are told in words, and the log in detail
                return self._failed(visit, error)

        return make_route(method, path, name, answer)

    async def _welcome(self, visit: Visit) -> Visit:
        """The visit with whoever is signed in."""
        token = visit.cookies.get(SIGN_IN)
        if not token:
            return visit
        desk = self.reception
        found = await recognise(desk.sign_ins, desk.accounts, token, clock=desk.clock, terms=desk.terms)
        if found is None:
            return visit
        return msgspec.structs.replace(visit, account=found.account, sign_in=found.sign_in)

    def show(
        self,
        visit: Visit | None,
        template: str,
        *,
        status: int = HTTPStatus.OK,
        cookies: Cookies = (),
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> ASGIResponse:
        """A page for this visit."""
        known = {
            "account": None if visit is None else visit.account,
            "form_token": "" if visit is None else visit.form_token(self.reception.key),
            "has_mailbox": self.has_mailbox,
        }
        introduced = () if visit is None else visit.introduced()
        return page(template, known | facts, status=status, cookies=(*introduced, *cookies), headers=headers)

    def _failed(self, visit: Visit | None, error: Exception) -> ASGIResponse:
        refused = refusal(error)
        status = refused.code.status
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            note_failure(error)
        elif isinstance(error, UnavailableError) and not isinstance(error, DrainingError):
            log.warning("page.unavailable", subject=error.subject, reason=error.reason)
        words = _TROUBLES.get(status, _ANY_TROUBLE)
        return self._apologise(visit, words, status, headers=refused.headers)

    def _apologise(
        self,
        visit: Visit | None,
        words: tuple[str, str],
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> ASGIResponse:
        title, text = words
        return self.show(visit, "trouble.html", status=status, headers=headers, title=title, text=text)

    async def lost(self, visit: Visit) -> ASGIResponse:
        """The page for addresses that lead nowhere."""
        return self._apologise(visit, _NOT_HERE, HTTPStatus.NOT_FOUND)
