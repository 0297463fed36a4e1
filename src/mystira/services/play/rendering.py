"""Templates, and what browsers are told about the pages made of them."""

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from importlib import resources
from typing import Any, Final

import jinja2
from litestar.response.base import ASGIResponse

from mystira.domain.badges.model import TIERS
from mystira.http.operations import NOT_KEPT
from mystira.services.play.drawing.compass import petals

_HERE: Final = "mystira.services.play"
_FOREVER: Final = "public, max-age=31536000, immutable"

SECURITY: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; media-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # Not `no-referrer`: by that, browsers hide from forms' receivers where they come from.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""Headers under which a page loads nothing that is not from here, and runs no script of its text."""

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

Cookies = tuple[str, ...]


def _read(name: str) -> bytes:
    return resources.files(_HERE).joinpath("assets", name).read_bytes()


def _stamp(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


ASSETS: Final = {name: _read(name) for name in ("style.css", "script.js", "icon.svg")}
"""What pages load beside their text."""

_environment = jinja2.Environment(
    loader=jinja2.PackageLoader(_HERE, "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals |= {
    "assets": {name: f"/play/{name}?{_stamp(content)}" for name, content in ASSETS.items()},
    "petals": petals,
    "tiers": TIERS,
}


def _signed(value: float) -> str:
    """A number as people write it, with its sign."""
    return f"{value:+.2g}".replace("-", "\N{MINUS SIGN}") if value else "0"


_environment.filters["signed"] = _signed


def page(
    template: str,
    facts: Mapping[str, Any],
    *,
    status: int = HTTPStatus.OK,
    cookies: Cookies = (),
    headers: Mapping[str, str] | None = None,
) -> ASGIResponse:
    """A page, which nobody keeps: it is somebody's, and shows how things stand just now."""
    text = _environment.get_template(template).render(facts)
    return ASGIResponse(
        body=text.encode(),
        status_code=status,
        media_type="text/html",
        headers=_with({"Cache-Control": NOT_KEPT, **SECURITY, **(headers or {})}, cookies),
    )


def see_other(address: str, *, cookies: Cookies = ()) -> ASGIResponse:
    """Send a browser on to a page that it may load again as often as it likes."""
    return ASGIResponse(
        status_code=HTTPStatus.SEE_OTHER,
        headers=_with({"Location": address, "Cache-Control": NOT_KEPT}, cookies),
    )


def asset(name: str, content: bytes | None = None) -> ASGIResponse:
    """A file, whose address changes whenever it does."""
    return ASGIResponse(
        body=ASSETS[name] if content is None else content,
        media_type=_TYPES[name.rpartition(".")[2]],
        headers={"Cache-Control": _FOREVER, **SECURITY},
    )


def _with(headers: Mapping[str, str], cookies: Cookies) -> list[tuple[str, str]]:
    """The headers and, since there may be several, each cookie by itself."""
    return [*headers.items(), *(("Set-Cookie", each) for each in cookies)]
