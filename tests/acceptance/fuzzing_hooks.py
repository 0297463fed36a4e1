"""Schemathesis with what it cannot know of our services: loaded by the run in fuzzing.py.

It shows who asks, sends files that are files, and judges what a status alone does not tell: that each code of
a refusal is one that the document names for the operation, and that nobody who sends what the document allows
is told that its form is wrong.
"""

import io
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any, Final

import schemathesis
from hypothesis import strategies
from schemathesis import AuthContext, Case, CheckContext, HookContext, Response
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData

from mystira.http.problems import CODES, MEDIA_TYPE
from tests.acceptance.fuzzing import TOKENS
from tests.unit.content.shelves import GIF, MP3, PNG

_TOKENS: Final[dict[str, str]] = json.loads(os.environ[TOKENS])

OF_FORM: Final = frozenset(
    {
        "bad_request",
        "malformed_json",
        "empty_body",
        "unknown_parameter",
        "duplicate_parameter",
        "invalid_parameter",
        "malformed_etag",
        "invalid_header",
        "method_not_allowed",
        "unsupported_media_type",
        "unknown_field",
        "missing_field",
        "wrong_type",
        "out_of_range",
        "invalid_format",
        "invalid_value",
    }
)
"""What must not be said to a request that the document allows. Other codes are about what is stored, or about
what is in a file, of which the document says nothing."""
BEYOND: Final = frozenset(
    {
        ("GET /sessions/{sessionId}", "invalid_value"),
        ("POST /sessions", "invalid_value"),
        ("POST /definitions/{sort}", "invalid_value"),
        ("PUT /media/{mediaId}/content", "invalid_value"),
    }
)
"""What the document says in words alone: of two parameters one; of a player the profile or the name; of an
age group the ages; in place of a picture a picture."""
OF_ROUTES: Final = frozenset({"unknown_route", "method_not_allowed"})
"""What is answered before any operation is found."""


@schemathesis.auth(cache_by_key=lambda case, context: case.operation.label)
class Signed:
    """The token of the account that asks for this operation."""

    def get(self, case: Case[Any], context: AuthContext) -> str:
        """The token."""
        return _TOKENS[case.operation.label]

    def set(self, case: Case[Any], data: str, context: AuthContext) -> None:
        """Show it."""
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Keep what counts: a request that was allowed may be refused, but not for its form."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    code = response.json()["code"]
    return code in OF_FORM and (case.operation.label, code) not in BEYOND and _holds_to_its_word(case)


def _holds_to_its_word(case: Case[Any]) -> bool:
    """Whether headers have the form that is told: Schemathesis 4.32 may send a 0 and call it valid."""
    sent = {name.lower(): value for name, value in case.headers.items()}
    for told in case.operation.definition.raw["parameters"]:
        pattern = told["schema"].get("pattern") if told["in"] == "header" else None
        value = sent.get(told["name"].lower())
        if pattern is not None and value is not None and not re.search(pattern, str(value)):
            return False
    return True


@schemathesis.hook
def map_body(context: HookContext, body: Any) -> Any:
    """Write whole numbers as such: JSON Schema takes 70.0 for one, and our services do not."""
    if isinstance(body, dict):
        return {name: map_body(context, value) for name, value in body.items()}
    if isinstance(body, list):
        return [map_body(context, value) for value in body]
    return int(body) if isinstance(body, float) and body.is_integer() else body


@schemathesis.check
def refusals_are_declared(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """A refusal has a code that its operation is told to have, under the code's own status."""
    if response.status_code < 400 or case.method == "HEAD":
        return
    code = response.json()["code"]
    assert CODES[code].status == response.status_code, f"{code} came as {response.status_code}"
    if code not in OF_ROUTES:
        told = case.operation.definition.raw["responses"][str(response.status_code)]
        assert code in told["content"][MEDIA_TYPE]["examples"], f"{code} is not declared"


def _shipped() -> list[bytes]:
    folder = Path(__file__).parents[2] / "src" / "mystira" / "stories"
    rooms = ("scenarios", "badges", "definitions", "bundles")
    return [next(iter(sorted((folder / room).iterdir()))).read_bytes() for room in rooms]


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in files.items():
            zipped.writestr(name, data)
    return buffer.getvalue()


def _of(*files: bytes) -> strategies.SearchStrategy[bytes]:
    """One of the files: whole, cut short, or with a byte changed; or anything at all."""
    whole = strategies.sampled_from(files)
    place = strategies.integers(0, 10_000)
    cut = strategies.builds(lambda file, at: file[: 1 + at % len(file)], whole, place)
    changed = strategies.builds(
        lambda file, at, byte: file[: at % len(file)] + bytes([byte]) + file[at % len(file) + 1 :],
        whole,
        place,
        strategies.integers(0, 255),
    )
    return whole | whole | cut | changed | strategies.binary(min_size=1, max_size=2000)


_STORY, *_OTHERS = _shipped()
_BUNDLE: Final = _zipped(
    {
        "bundle.yaml": b"id: fuzzed\ntitle: Fuzzed\nage_group: 6-9\nimage: cover\n",
        "scenarios/one.yaml": _STORY,
        "media/cover.png": PNG,
    }
)
for _names, _files in {
    ("application/yaml", "text/yaml"): (_STORY, *_OTHERS),
    ("application/zip",): (_BUNDLE,),
    ("application/octet-stream",): (_STORY, *_OTHERS, _BUNDLE, PNG, GIF, MP3),
    ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"): (PNG, GIF),
    ("audio/mpeg", "audio/aac", "audio/mp4", "audio/ogg", "audio/wav", "audio/flac"): (MP3, PNG),
    ("video/mp4", "video/webm", "video/ogg"): (MP3, PNG),
}.items():
    schemathesis.openapi.media_type(_names[0], _of(*_files), aliases=_names[1:])
