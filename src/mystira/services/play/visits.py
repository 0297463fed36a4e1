"""Who visits a page, and how a form is known to be ours.

A few cookies, none of which a script can read, and which go nowhere but to these pages: the token of the
sign-in, the request or the consent that a mailed code belongs to, and a random value that forms are tied to.
A form carries a keyed hash of that value and of the sign-in; another site can send a form here, but cannot
know the hash.
"""

import hmac
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Request

from mystira.domain.accounts.model import Account
from mystira.domain.signing_in.codes import keyed_hash
from mystira.domain.signing_in.model import SignIn
from mystira.http.bodies import read_bytes
from mystira.http.operations import header_of
from mystira.http.problems import ProblemError
from mystira.services.play.rendering import Cookies

F = TypeVar("F", bound=msgspec.Struct)

SIGN_IN: Final = "mystira_sign_in"
REQUEST: Final = "mystira_request"
VISITOR: Final = "mystira_visitor"
CONSENT: Final = "mystira_consent"
NOTICE: Final = "mystira_notice"
TOKEN: Final = "form_token"  # noqa: S105 - the name of a field

_FORM: Final = "application/x-www-form-urlencoded"
_PURPOSE: Final = "mystira:form"
_MOST_FIELDS: Final = 40
_VISITOR_BYTES: Final = 16
_OURS: Final = frozenset({"same-origin", "none"})


class ForeignFormError(Exception):
    """A form was sent that this visitor was not given, or was given before signing in or out."""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a browser. `form` is empty but for what was sent by one."""

    path: Mapping[str, str]
    form: Mapping[str, str]
    cookies: Mapping[str, str]
    address: str
    agent: str | None
    is_secure: bool
    visitor: str
    account: Account | None = None
    sign_in: SignIn | None = None

    def sent(self, form: type[F]) -> F:
        """The form's fields, numbers read from their text. Raises msgspec.ValidationError."""
        return msgspec.convert(dict(self.form), form, strict=False)

    def keep(self, name: str, value: str, *, seconds: int | None = None) -> str:
        """A cookie to set; without `seconds` it ends with the browser."""
        parts = [f"{name}={value}", "Path=/play", "HttpOnly", "SameSite=Lax"]
        parts += [] if seconds is None else [f"Max-Age={seconds}"]
        return "; ".join([*parts, "Secure"] if self.is_secure else parts)

    def forget(self, name: str) -> str:
        """A cookie to take away."""
        return self.keep(name, "", seconds=0)

    def introduced(self) -> Cookies:
        """What ties forms to this visitor, where it is not there yet."""
        known = self.cookies.get(VISITOR) == self.visitor
        return () if known else (self.keep(VISITOR, self.visitor),)

    def form_token(self, key: str) -> str:
        """What forms that are shown now have to carry."""
        signed_in = "" if self.sign_in is None else self.sign_in.id
        return keyed_hash(key, _PURPOSE, self.visitor, signed_in)

    def require_own_form(self, key: str, site: str | None) -> None:
        """Raise ForeignFormError unless the form is one of ours, shown to this very visitor."""
        shown = self.form.get(TOKEN, "")
        # Said by browsers themselves, which a page of another site cannot make them lie about.
        is_foreign = site is not None and site not in _OURS
        if is_foreign or not hmac.compare_digest(shown.encode(), self.form_token(key).encode()):
            raise ForeignFormError


async def read_visit(request: Request[Any, Any, Any]) -> Visit:
    """The request as a visit, of nobody yet. Raises ProblemError for a form that cannot be read."""
    headers, scope = request.scope["headers"], request.scope
    cookies = _cookies(header_of(headers, b"cookie"))
    form = await _form(request) if scope["method"] == "POST" else {}
    return Visit(
        path={name: str(value) for name, value in scope["path_params"].items()},
        form=form,
        cookies=cookies,
        address=(scope.get("client") or ("",))[0],
        agent=header_of(headers, b"user-agent"),
        is_secure=scope["scheme"] == "https",
        visitor=cookies.get(VISITOR) or secrets.token_urlsafe(_VISITOR_BYTES),
    )


def _cookies(header: str | None) -> dict[str, str]:
    try:
        return {name: each.value for name, each in SimpleCookie(header or "").items()}
    except CookieError:
        return {}


async def _form(request: Request[Any, Any, Any]) -> dict[str, str]:
    headers = request.scope["headers"]
    kind = (header_of(headers, b"content-type") or "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise ProblemError("unsupported_media_type", f"Forms are taken as {_FORM}.")
    body = await read_bytes(request.receive, header_of(headers, b"content-length"))
    try:
        fields = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise ProblemError("bad_request", "The form cannot be read.") from None
    # Line breaks come as browsers send them; nothing here takes more than one line.
    return {name: value.strip() for name, value in fields}
