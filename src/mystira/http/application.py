"""Services behind one port: each under its prefix, with its document and its pages."""

import functools
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, cast

import msgspec
from litestar import Litestar, Request, Router
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from mystira.http.callers import Authenticate
from mystira.http.entrance import Application, Entrance, answer_problem
from mystira.http.openapi import describe
from mystira.http.operations import JSON, NOT_KEPT, make_route
from mystira.http.pages import SECURITY, render
from mystira.http.service import Service


def make_application(
    documented: Iterable[Service],
    others: Iterable[Service] = (),
    *,
    authenticate: Authenticate,
    pages: Iterable[Router] = (),
) -> Application:
    """One application in which every service is mounted; the `documented` ones with documents and pages.

    `authenticate` says who calls. `pages` are for people, and find out by themselves who that is.
    """
    documented = list(documented)
    routers = [_router(service, authenticate, [*_documents(service)]) for service in documented]
    routers += [_router(service, authenticate, []) for service in others]
    routers += pages
    framework = Litestar(
        route_handlers=routers,
        openapi_config=None,
        logging_config=None,
        exception_handlers={Exception: answer_problem},
        # Bodies are read by the operations themselves, which have their own limit.
        request_max_body_size=None,
    )
    return Entrance(cast(Application, framework))


def _router(service: Service, authenticate: Authenticate, more: list[HTTPRouteHandler]) -> Router:
    methods: dict[str, set[str]] = {}
    for operation in service.operations:
        taken = {"GET", "HEAD"} if operation.method == "GET" else {operation.method}
        methods.setdefault(operation.route_path, {"OPTIONS"}).update(taken)
    # First, because the framework's own answer to OPTIONS names only the methods that came before it.
    choices = [_choices(path, taken) for path, taken in methods.items()]
    routes = [operation.route(authenticate, audience=service.name) for operation in service.operations]
    return Router(service.prefix, route_handlers=[*choices, *routes, *more])


def _choices(path: str, methods: set[str]) -> HTTPRouteHandler:
    """What may be asked of a path."""
    headers = {"Allow": ", ".join(sorted(methods)), "Cache-Control": NOT_KEPT}

    async def answer(request: Request[Any, Any, Any]) -> ASGIResponse:
        return ASGIResponse(status_code=HTTPStatus.NO_CONTENT, headers=headers)

    return HTTPRouteHandler(path, http_method="OPTIONS", status_code=200)(answer)


def _documents(service: Service) -> tuple[HTTPRouteHandler, HTTPRouteHandler]:
    # Made when first asked for: a process that is to take work soon has no time for it.
    document = functools.cache(lambda: describe(service))

    @functools.cache
    def as_json() -> bytes:
        return msgspec.json.encode(document())

    @functools.cache
    def as_page() -> bytes:
        return render(document(), f"{service.prefix}/openapi.json").encode()

    return (
        _constant("/openapi.json", f"{service.name}Document", as_json, JSON),
        _constant("/docs", f"{service.name}Pages", as_page, "text/html"),
    )


def _constant(path: str, name: str, make: Callable[[], bytes], media_type: str) -> HTTPRouteHandler:
    """A page that is the same for everybody for as long as this process runs."""
    headers = {"Cache-Control": "public, max-age=60", **SECURITY}

    async def answer(request: Request[Any, Any, Any]) -> ASGIResponse:
        return ASGIResponse(body=make(), media_type=media_type, headers=headers)

    return make_route("GET", path, name, answer)
