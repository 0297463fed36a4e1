"""The page to play: what a family sees in a browser, made on the server, whole without any script."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Router
from litestar.response.base import ASGIResponse

from manystore.repository import Repository
from mystira.domain.bundles.kind import CONTENT_BUNDLES
from mystira.domain.bundles.model import ContentBundle
from mystira.domain.bundles.shelf import Shelf
from mystira.domain.consents.guardianship import guardianship_of
from mystira.domain.media.kind import MEDIA_ASSETS
from mystira.domain.media.model import MediaAsset
from mystira.domain.scenarios.kind import SCENARIOS
from mystira.domain.signing_in.use_cases import Reception
from mystira.gateways.outside import Outside
from mystira.http.admission import Admission
from mystira.http.operations import make_route
from mystira.http.problems import ProblemError
from mystira.platform import Platform
from mystira.services.play.allowing import Allowing
from mystira.services.play.catalogue import Tale
from mystira.services.play.coming_in import ComingIn
from mystira.services.play.desk import HOME, Desk
from mystira.services.play.drawing.covers import draw_cover
from mystira.services.play.readers import Readers
from mystira.services.play.rendering import ASSETS, asset
from mystira.services.play.scenes import Scenes


def play_pages(platform: Platform, outside: Outside, reception: Reception) -> Router:
    """The pages over a platform."""
    desk = Desk(
        play=platform.play,
        reception=reception,
        guardianship=guardianship_of(platform, key=reception.key),
        admission=Admission(outside, platform.settings, reception.key),
        outside=outside,
        bundles=Shelf(platform.repository(ContentBundle, CONTENT_BUNDLES), platform.clock),
        tales=Repository(Tale, SCENARIOS, platform.leases, platform.clock),
        media=platform.repository(MediaAsset, MEDIA_ASSETS),
    )
    coming_in, readers, scenes, allowing = ComingIn(desk), Readers(desk), Scenes(desk), Allowing(desk)
    open_to_all = functools.partial(desk.route, is_open=True)
    one, tale = "/readers/{profile_id:str}", "/readers/{profile_id:str}/stories/{scenario_id:str}"
    return Router(
        HOME,
        route_handlers=[
            open_to_all("GET", "/", "playHome", coming_in.home),
            open_to_all("POST", "/", "playAsk", coming_in.ask),
            open_to_all("GET", "/new", "playNew", coming_in.new),
            open_to_all("POST", "/new", "playSignUp", coming_in.sign_up),
            open_to_all("GET", "/code", "playCode", coming_in.code),
            open_to_all("POST", "/code", "playConfirm", coming_in.confirm),
            open_to_all("POST", "/leave", "playLeave", coming_in.leave),
            desk.route("GET", "/readers/new", "playNewReader", readers.new),
            desk.route("POST", "/readers/new", "playMakeReader", readers.make),
            desk.route("GET", one, "playShelf", readers.shelf),
            desk.route("GET", f"{one}/allow", "playAllow", allowing.show),
            desk.route("POST", f"{one}/allow", "playAllowed", allowing.act),
            desk.route("GET", f"{one}/badges", "playBadges", readers.badges),
            desk.route("GET", tale, "playStory", readers.story),
            desk.route("POST", tale, "playBegin", readers.begin),
            desk.route("GET", "/sessions/{session_id:str}", "playScene", scenes.show),
            desk.route("POST", "/sessions/{session_id:str}", "playAct", scenes.act),
            open_to_all("GET", "/{rest:path}", "playLost", desk.lost),
            *(make_route("GET", f"/{name}", name, _file(name)) for name in ASSETS),
            make_route("GET", "/covers/{name:str}", "playCover", _cover),
        ],
    )


def _file(name: str) -> Callable[[Request[Any, Any, Any]], Awaitable[ASGIResponse]]:
    async def answer(request: Request[Any, Any, Any]) -> ASGIResponse:
        return asset(name)

    return answer


async def _cover(request: Request[Any, Any, Any]) -> ASGIResponse:
    name = str(request.scope["path_params"]["name"])
    drawn = draw_cover(name.removesuffix(".svg")) if name.endswith(".svg") else None
    if drawn is None:
        raise ProblemError("unknown_route", "There is no such cover.")
    return asset(name, drawn)
