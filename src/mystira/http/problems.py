"""Every code with which a service refuses, and the form that a refusal takes (RFC 9457).

A code is part of the programming interface: it never changes its meaning or its status. Texts may change.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from mystira.domain.files.findings import Finding

TYPE: Final = "urn:mystira:problem:"
MEDIA_TYPE: Final = "application/problem+json"


class Code(msgspec.Struct, frozen=True):
    """One kind of refusal: its HTTP status, what has happened, and what the caller can do."""

    code: str
    status: int
    title: str
    remedy: str


_TABLE: Final = (
    Code("bad_request", 400, "The request is malformed", "Send a request that HTTP allows."),
    Code("incomplete_body", 400, "The connection ended before the body did", "Send it again, in full."),
    Code(
        "malformed_json", 400, "The body is not JSON", "Send one JSON text in UTF-8, without a mark before."
    ),
    Code("empty_body", 400, "The body is missing", "Send what the operation asks for."),
    Code("unknown_parameter", 400, "No such query parameter", "Leave it out, or look up its spelling."),
    Code("duplicate_parameter", 400, "A query parameter stands twice", "Give each at most once."),
    Code("invalid_parameter", 400, "A query parameter has a wrong value", "Look at `path` and `detail`."),
    Code("invalid_continuation", 400, "The continuation belongs elsewhere", "Begin again without one."),
    Code(
        "malformed_etag", 400, "An ETag is malformed", 'Send it as it was received, quotes included: `"3"`.'
    ),
    Code("invalid_header", 400, "A header has a wrong value", "Look at `path` and `detail`."),
    Code(
        "not_signed_in",
        401,
        "No token came, or none that holds",
        "Sign in, and send the token you were given.",
    ),
    Code("not_allowed", 403, "The caller may not do this", "Ask somebody whose role allows it."),
    Code(
        "second_factor_needed",
        403,
        "Staff show a second factor first",
        "Set one up or show it, by the operations in `detail`.",
    ),
    Code("not_bought", 403, "The account has no access to the story", "Subscribe, or buy one of `bundles`."),
    Code("consent_needed", 403, "A parent has not allowed this", "Ask a parent to consent, then repeat it."),
    Code("not_found", 404, "There is no such record", "Look up its id; it may have been deleted."),
    Code("unknown_kind", 404, "There is no such kind", "Ask for the list of kinds."),
    Code("unknown_route", 404, "There is nothing under this path", "Look it up in the documentation."),
    Code("method_not_allowed", 405, "The path does not take this method", "See the header Allow."),
    Code("not_unique", 409, "Another record has this value already", "Choose another value for `path`."),
    Code("already_exists", 409, "There is such a record already", "Change that one, or choose another id."),
    Code("contended", 409, "Others kept changing the record", "Nothing was written; try again."),
    Code("already_bought", 409, "The account has this already", "Nothing was charged."),
    Code("not_refundable", 409, "No money was taken for this", "There is nothing to give back."),
    Code("still_published", 409, "The story is published", "Withdraw it, then delete it."),
    Code("second_factor_set", 409, "There is a second factor already", "Show it, or have it taken away."),
    Code("second_factor_not_set", 409, "There is no second factor", "Set one up."),
    Code("refused", 409, "The record cannot be written as it is now", "Look at `detail`."),
    Code(
        "request_in_progress", 409, "The first request with this key is under way", "Ask again in a moment."
    ),
    Code("scene_not_current", 409, "The players are in another scene", "Read the session, and go on there."),
    Code("wrong_step", 409, "The scene is left in another way", "Look at the scene's `step`."),
    Code("session_not_in_progress", 409, "The session is not in progress", "Resume it, or start anew."),
    Code("session_not_paused", 409, "The session is not paused", "There is nothing to resume."),
    Code("session_ended", 409, "The session ended before, in another way", "Start the story anew."),
    Code("session_not_playable", 409, "The session cannot be played on", "Start the story anew."),
    Code("story_changed", 409, "The story no longer has this scene", "End the session, and start anew."),
    Code("step_refused", 409, "The step cannot be taken now", "Settle each of `reasons`, then ask again."),
    Code("certificate_invalid", 409, "The certificate cannot be trusted", "Verify again."),
    Code("version_mismatch", 412, "The record has changed", "Read it again, then repeat the change."),
    Code("code_void", 410, "No code opens anything by this request", "Ask for a new code."),
    Code("media_too_large", 413, "The media are too large", "Send less than the limit in `detail`."),
    Code("body_too_large", 413, "The body is too large", "Send less than the limit in `detail`."),
    Code("unsupported_media_type", 415, "The body is not of a type taken here", "See the header Accept."),
    Code(
        "range_not_satisfiable", 416, "The range lies behind the end", "Ask within the size in Content-Range."
    ),
    Code("unknown_field", 422, "No such property", "Leave `path` out, or look up its spelling."),
    Code("missing_field", 422, "A property is missing", "Give `path` a value."),
    Code("wrong_type", 422, "A value has the wrong type", "Give `path` a value of the type in `detail`."),
    Code("out_of_range", 422, "A value is too large, too small, too long or too short", "Change `path`."),
    Code("invalid_format", 422, "A text does not have the form asked for", "Change `path`."),
    Code("invalid_value", 422, "A value is none of those allowed", "Change `path`."),
    Code(
        "missing_parent", 422, "The record that `path` names is not there", "Make it first, or name another."
    ),
    Code("too_young", 422, "The story is for older players", "Choose another story, or an older group."),
    Code("not_for_sale", 422, "This cannot be bought like that", "See `detail` for what can."),
    Code("invalid_content", 422, "The file has errors", "Mend each of `findings` that is an error."),
    Code("unknown_media", 422, "The bytes are no media taken here", "Convert them to a format in `detail`."),
    Code("not_representable", 422, "A value cannot be kept exactly", "Change `path`."),
    Code("wrong_code", 422, "This is not the code that was mailed", "Look at the letter, and type it again."),
    Code("wrong_second_factor", 422, "This code does not count now", "Wait for the app's next, and type it."),
    Code("idempotency_key_reused", 422, "The key belongs to another request", "Use a new key."),
    Code("precondition_required", 428, "The header If-Match is missing", "Send the ETag of what you read."),
    Code("too_often", 429, "It was asked for too often", "Wait as long as Retry-After says."),
    Code("throttled", 429, "The store asked to be asked less often", "Wait as long as Retry-After says."),
    Code("internal_error", 500, "Something is wrong on our side", "Report the correlation id."),
    Code("unreadable_record", 500, "The record does not fit the model", "Report the correlation id."),
    Code("unavailable", 503, "A part of the platform does not answer", "Wait as long as Retry-After says."),
    Code("draining", 503, "Writes pause while the records move", "Wait as long as Retry-After says."),
)

CODES: Final[Mapping[str, Code]] = {code.code: code for code in _TABLE}


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with what was sent: where, by which code, in words."""

    path: str
    code: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A refusal (RFC 9457).

    `code` is what programs decide by. `path` is the property, parameter or header that is at fault, and
    `errors` lists all that were found; `reasons` are the unmet conditions of a step; `findings` are what was
    found in a file that was sent; `bundles` are those of which one must be bought. `correlation_id` finds the
    request in the logs.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    correlation_id: str
    path: str | None = None
    errors: tuple[Mistake, ...] = ()
    reasons: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    bundles: tuple[str, ...] = ()


class ProblemError(Exception):
    """{code}: {detail}.

    Raised to end a request with a refusal. `headers` go along with it.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        path: str | None = None,
        reasons: Sequence[str] = (),
        findings: Sequence[Finding] = (),
        bundles: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code, self.detail, self.path = CODES[code], detail, path
        self.reasons, self.headers = tuple(reasons), dict(headers or {})
        self.findings, self.bundles = tuple(findings), tuple(bundles)
        super().__init__(f"{code}: {detail}")

    def problem(self, *, instance: str, correlation_id: str) -> Problem:
        """The body of the answer."""
        code, path = self.code, self.path
        mistakes = () if path is None else (Mistake(path=path, code=code.code, message=self.detail),)
        return Problem(
            type=TYPE + code.code,
            title=code.title,
            status=code.status,
            detail=self.detail,
            code=code.code,
            instance=instance,
            correlation_id=correlation_id,
            path=path,
            errors=mistakes,
            reasons=self.reasons,
            findings=self.findings,
            bundles=self.bundles,
        )
