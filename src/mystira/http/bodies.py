"""Reads what was sent, strictly: one JSON text of the form that the operation declares, or a refusal.

The framework's own reading is lenient (it takes `"true"` for a boolean), so msgspec is asked directly. Its
complaint says in words what is wrong and where; here that becomes a code and a path.
"""

import re
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final, Generic, TypeVar

import msgspec

from mystira.http.problems import ProblemError

S = TypeVar("S")
Receive = Callable[[], Awaitable[Any]]

MOST_BYTES: Final = 256 * 1024
_LONGEST_PATH: Final = 200

_PLACED: Final = re.compile(r"(?s)(?P<what>.*) - at `(?:key in )?\$(?P<path>[^`]*)`")
_MISSING: Final = re.compile(r"Object missing required field `(?P<name>[^`]*)`")
_UNKNOWN: Final = re.compile(r"(?s)Object contains unknown field `(?P<name>.*)`")
_CODES: Final = (
    (re.compile(r"Expected `.*` (of length )?[<>=]"), "out_of_range"),
    (re.compile(r"Expected `.*` that's a multiple"), "out_of_range"),
    (re.compile(r".*out of range"), "out_of_range"),
    (re.compile(r"Expected `.*` (matching regex|with(out)? a timezone)"), "invalid_format"),
    (re.compile(r"Invalid (RFC3339|UUID|base64|ISO8601)"), "invalid_format"),
    (re.compile(r"Expected `.*`, got `.*`"), "wrong_type"),
    (re.compile(r"Expected `array` of length"), "out_of_range"),
)
_FORM: Final = "The text does not have the form that the documentation of this field gives."


class BodyReader(Generic[S]):
    """Reads the body of one operation: `form` is its type, `media_types` the names under which it comes."""

    def __init__(self, form: type[S], media_types: Collection[str]) -> None:
        self._decoder = msgspec.json.Decoder(form)
        self._media_types = frozenset(media_types)
        self._accepted = ", ".join(media_types)

    def check_headers(self, content_type: str | None, content_encoding: str | None) -> None:
        """Raise ProblemError unless the headers announce what is taken here."""
        if content_encoding not in (None, "", "identity"):
            self._refuse_type(f"Bodies are taken uncompressed, not as {content_encoding[:50]!r}.")
        if content_type in self._media_types:
            return
        name, _, parameters = (content_type or "").partition(";")
        if name.strip().lower() not in self._media_types:
            self._refuse_type(
                f"The body is taken as {self._accepted}, not as {(content_type or '')[:100]!r}."
            )
        if parameters and parameters.strip().lower().replace('"', "") not in ("charset=utf-8", ""):
            self._refuse_type("JSON is taken in UTF-8, and its type without other parameters.")

    def _refuse_type(self, detail: str) -> None:
        raise ProblemError("unsupported_media_type", detail, headers={"Accept": self._accepted})

    def read(self, body: bytes) -> S:
        """What the body says. Raises ProblemError."""
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise mistake(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _malformed(body, error) from None


def _malformed(body: bytes, error: Exception) -> ProblemError:
    if not body.strip():
        return ProblemError("empty_body", "The body is empty.", path="$")
    if isinstance(error, UnicodeDecodeError):
        return ProblemError("malformed_json", "The body is not UTF-8.", path="$")
    if isinstance(error, RecursionError):
        return ProblemError("malformed_json", "The body is nested too deeply.", path="$")
    return ProblemError("malformed_json", f"The body is not JSON: {error}.", path="$")


def mistake(complaint: str, *, code: str | None = None) -> ProblemError:
    """The refusal for a complaint of msgspec's, under a code of its own or the one that is given."""
    what, path = complaint, ""
    if placed := _PLACED.fullmatch(complaint):
        what, path = placed["what"], placed["path"].removeprefix(".")
    if missing := _MISSING.fullmatch(what):
        path = _inner(path, missing["name"])
        return ProblemError(code or "missing_field", f"Property {path} is missing.", path=path)
    if unknown := _UNKNOWN.fullmatch(what):
        path = _inner(path, unknown["name"])
        return ProblemError(code or "unknown_field", f"There is no property {path}.", path=path)
    found = next((each for pattern, each in _CODES if pattern.match(what)), "invalid_value")
    detail = _FORM if "matching regex" in what else f"{what}."
    return ProblemError(code or found, detail, path=path or "$")


def _inner(path: str, name: str) -> str:
    whole = f"{path}.{name}" if path else name
    return whole if len(whole) <= _LONGEST_PATH else whole[:_LONGEST_PATH] + "…"


async def read_bytes(receive: Receive, announced: str | None) -> bytes:
    """The body as it comes, up to the limit, whether its length was announced or not. Raises ProblemError."""
    if announced is not None and announced.isdigit() and int(announced[:20]) > MOST_BYTES:
        raise _too_large()
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ProblemError("incomplete_body", "The connection ended before the body did.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MOST_BYTES:
            raise _too_large()
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large() -> ProblemError:
    # The server passes over the rest. Closing at once would reset the connection under the sender's feet,
    # who then never sees this answer.
    return ProblemError("body_too_large", f"A body has at most {MOST_BYTES} bytes.")
