"""The OpenAPI document of a service, from the same declarations that its routes are made of.

Schemas come from msgspec, which also does the reading, so what the document says of a value is what is
checked. Refusals follow from an operation's form (what has a body can be malformed), so none is forgotten.
"""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from importlib import metadata
from typing import Any, Final

import msgspec

from mystira.domain.accounts.model import Role
from mystira.http.callers import describe_access
from mystira.http.operations import Operation
from mystira.http.problems import CODES, MEDIA_TYPE, Problem, ProblemError
from mystira.http.service import Service
from mystira.http.transfers import Download, Upload

Document = dict[str, Any]

_CORRELATION: Final = {
    "description": "What finds this request in the logs: as sent, or made here.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    "example": "4f0c6a1e8d7b4c53",
}
_ETAG: Final = {
    "description": "The version of the record, in quotes; send it back as If-Match to change the record.",
    "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
    "example": '"3"',
}
_DEMAND: Final = {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$'}
_REQUEST_HEADERS: Final[dict[str, Document]] = {
    # Of another form it is passed over, which is no reason to refuse what was asked.
    "X-Correlation-Id": {
        "description": "What finds this request in the logs; passed over where it has not the answer's form.",
        "schema": {"type": "string"},
        "example": _CORRELATION["example"],
    },
    "If-Match": {
        "required": True,
        "description": "The ETag of the version that the change was made to; `*` for any.",
        "schema": _DEMAND,
        "example": '"3"',
    },
    "If-None-Match": {
        "description": "The ETag that the caller has already; 304 while it still stands.",
        "schema": _DEMAND,
        "example": '"2"',
    },
    "Range": {
        "description": "Asks for some of the bytes; several ranges at once are answered with the whole.",
        "schema": {"type": "string"},
        "example": "bytes=0-1023",
    },
    "If-Range": {
        "description": "The ETag for which the range counts; for another the whole is answered.",
        "schema": {"type": "string"},
        "example": '"9f86d081884c7d65"',
    },
    "Idempotency-Key": {
        "description": "Names this creation: repeated within a day, it creates nothing and answers the same.",
        "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
        "example": "1c0f6f2e-94a8-4d3e-9c1b-0f6f2e94a84d",
    },
    "X-Actor": {
        "description": (
            "Who asks, where a program of the platform does; `operator` where it is missing. Of people "
            "the account is written down, whatever stands here."
        ),
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9@._:+-]{1,100}$"},
        "example": "operator",
    },
    "X-Reason": {
        "description": "Why, which is kept with who asks. What is not ASCII is percent-encoded UTF-8.",
        "schema": {"type": "string", "pattern": "^[\\x21-\\x7e][\\x20-\\x7e]{1,498}[\\x21-\\x7e]$"},
        "example": "The autumn edition",
    },
}
_RESPONSE_HEADERS: Final[dict[str, Document]] = {
    "X-Correlation-Id": _CORRELATION,
    "ETag": _ETAG,
    "ETag-Of-Bytes": {
        "description": "Stands for the bytes: as long as it is the same, so are they.",
        "schema": {"type": "string", "pattern": '^"[0-9a-f]{64}"$'},
    },
    "Accept-Ranges": {
        "description": "Some of the bytes can be asked for.",
        "schema": {"type": "string", "enum": ["bytes"]},
    },
    "Content-Range": {"description": "Which of the bytes these are.", "schema": {"type": "string"}},
    "Location": {"description": "Where the record is found from now on.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` where this is the answer to an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Retry-After": {
        "description": "After how many seconds to ask again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "How to show who calls.",
        "schema": {"type": "string"},
        "example": "Bearer",
    },
    "Allow": {"description": "The methods that the path takes.", "schema": {"type": "string"}},
}
_SECURITY: Final[dict[str, Document]] = {
    "signIn": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token that signing in gave; it belongs to one account and can be revoked.",
    },
    "service": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A short-lived token that a service signs for itself; the commands do so too.",
    },
}
_WAITING: Final = frozenset({409, 429, 503})

_ALWAYS: Final = ("bad_request", "unknown_parameter", "duplicate_parameter", "internal_error", "unavailable")
_WITH_BODY: Final = ("malformed_json", "incomplete_body", "body_too_large", "unsupported_media_type")
_WITH_FIELDS: Final = (
    "empty_body",
    "unknown_field",
    "missing_field",
    "wrong_type",
    "out_of_range",
    "invalid_format",
    "invalid_value",
)


def describe(service: Service) -> Document:
    """The document, as JSON can say it."""
    forms = _forms(service)
    schemas, components = msgspec.json.schema_components(
        forms.values(), ref_template="#/components/schemas/{name}"
    )
    drawn = dict(zip(forms, schemas, strict=True))
    paths: Document = {}
    for operation in service.operations:
        entry = paths.setdefault(operation.path, {})
        entry[operation.method.lower()] = _operation(service, operation, drawn)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": service.title,
            "description": service.description,
            "version": metadata.version("mystira"),
        },
        "servers": [{"url": service.prefix}],
        "tags": [{"name": name, "description": text} for name, text in service.tags.items()],
        "paths": paths,
        "components": {
            "schemas": components,
            "headers": _RESPONSE_HEADERS,
            "securitySchemes": _SECURITY,
            "examples": {code: {"value": _example(code)} for code in CODES},
        },
    }


def refusals_of(operation: Operation[Any]) -> list[str]:
    """Every code with which an operation can refuse, in the order of the table of codes."""
    codes = {*_ALWAYS, *operation.refuses}
    if not operation.allows.anyone:
        codes |= {"not_signed_in", "not_allowed"}
    if operation.owner is not None:
        codes |= {"not_found"}
    codes |= _codes_of_form(operation)
    if operation.method != "GET":
        codes |= {"throttled", "draining"}
    if operation.revalidates or operation.guarded:
        codes |= {"malformed_etag"}
    if operation.guarded:
        codes |= {"precondition_required", "version_mismatch"}
    if operation.keyed:
        codes |= {"invalid_header", "request_in_progress", "idempotency_key_reused"}
    if operation.names_actor or operation.gives_reason:
        codes |= {"invalid_header"}
    return [code for code in CODES if code in codes]


def _codes_of_form(operation: Operation[Any]) -> set[str]:
    """The codes with which what was sent can be refused, body or query string."""
    codes = {"range_not_satisfiable"} if operation.is_ranged else set()
    if operation.uploads is not None:
        codes |= {"incomplete_body", "body_too_large", "unsupported_media_type", "empty_body"}
    if operation.has_body:
        codes |= {*_WITH_BODY, *_WITH_FIELDS} if not operation.takes_nothing else {*_WITH_BODY, "wrong_type"}
        codes |= {"unknown_field"}
    elif not operation.takes_nothing:
        codes |= {"invalid_parameter"}
    return codes


def _forms(service: Service) -> dict[Any, Any]:
    """Every type that the document speaks of."""
    found: list[Any] = [Problem]
    for operation in service.operations:
        found += [operation.takes] if operation.has_body and not operation.takes_nothing else []
        forms = operation.answers.values()
        found += [form for form in forms if form is not None and not isinstance(form, Download)]
    found += [parameter.form for parameter in service.path_parameters.values()]
    return {form: form for form in found}


def _operation(service: Service, operation: Operation[Any], drawn: dict[Any, Any]) -> Document:
    described: Document = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag] if operation.tag else [],
        "parameters": [*_path(service, operation, drawn), *_query(operation), *_headers(operation)],
        "responses": {**dict(_answers(operation, drawn)), **dict(_refusals(operation, drawn))},
        "security": list(_security(operation)),
        "description": " ".join([operation.description, _whom(operation)]).strip(),
    }
    if operation.uploads is not None:
        described["requestBody"] = _upload(operation.uploads)
    elif operation.has_body and not operation.takes_nothing:
        content: Document = {"schema": drawn[operation.takes]}
        if operation.example is not None:
            content["example"] = operation.example
        described["requestBody"] = {
            "required": not operation.has_optional_body,
            "content": dict.fromkeys(operation.media_types, content),
        }
    return described


def _upload(upload: Upload) -> Document:
    # Bytes of a type of their own are told of without a schema (OpenAPI 3.1).
    return {
        "required": True,
        "description": f"{upload.meaning}, at most {upload.most_bytes:,} bytes.",
        "content": {media_type: {} for media_type in upload.media_types},
    }


def _whom(operation: Operation[Any]) -> str:
    """Who may ask, in a sentence."""
    own = "" if operation.owner is None else "; what is others' is answered as if it were not there"
    return f"For {describe_access(operation.allows)}{own}."


def _security(operation: Operation[Any]) -> Iterator[Document]:
    allows = operation.allows
    if allows.anyone:
        yield {}
    if allows.anyone or allows.roles:
        yield {"signIn": []}
    # Whoever runs the platform has the role of a SuperAdmin.
    if allows.services or Role.SUPER_ADMIN in allows.roles:
        yield {"service": []}


def _path(service: Service, operation: Operation[Any], drawn: dict[Any, Any]) -> Iterator[Document]:
    for name in operation.path_parameters:
        parameter = service.path_parameters[name]
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": parameter.meaning,
            "schema": drawn[parameter.form],
            "example": parameter.example,
        }


def _query(operation: Operation[Any]) -> Iterator[Document]:
    if operation.has_body or operation.takes_nothing:
        return
    info = msgspec.json.schema(operation.takes)
    schema = info["$defs"][operation.takes.__name__]
    for name, form in schema["properties"].items():
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": _without_null(form, info["$defs"]),
        }


def _without_null(form: Document, definitions: Document) -> Document:
    """The schema of a parameter that is simply left out where it has no value."""
    forms = [each for each in form.get("anyOf", [form]) if each != {"type": "null"}]
    shown = {**forms[0], **{name: form[name] for name in ("default",) if form.get(name) is not None}}
    if "$ref" in shown:
        shown = {**definitions[shown.pop("$ref").rpartition("/")[2]], **shown}
    return shown


def _headers(operation: Operation[Any]) -> Iterator[Document]:
    wanted = {
        "If-Match": operation.guarded,
        "If-None-Match": operation.revalidates or operation.is_ranged,
        "Range": operation.is_ranged,
        "If-Range": operation.is_ranged,
        "Idempotency-Key": operation.keyed,
        "X-Actor": operation.names_actor,
        "X-Reason": operation.gives_reason,
        "X-Correlation-Id": True,
    }
    for name, is_taken in wanted.items():
        if is_taken:
            described = _REQUEST_HEADERS[name]
            if operation.is_ranged and name == "If-None-Match":
                # Of bytes, what is no ETag matches none.
                described = described | {"schema": {"type": "string"}}
            yield {"name": name, "in": "header", **described}


def _answers(operation: Operation[Any], drawn: dict[Any, Any]) -> Iterator[tuple[str, Document]]:
    for status, form in operation.answers.items():
        names = ["X-Correlation-Id"]
        names += ["ETag"] if operation.versioned else []
        is_made = status in (HTTPStatus.CREATED, HTTPStatus.ACCEPTED)
        names += ["Location"] if is_made and operation.locates else []
        names += ["Idempotency-Replayed"] if operation.keyed else []
        answer: Document = {"description": HTTPStatus(status).phrase, "headers": _referred(names)}
        if isinstance(form, Download):
            yield from _download(form, answer)
        elif form is not None:
            answer["content"] = {"application/json": {"schema": drawn[form]}}
        yield str(status), answer
    if operation.revalidates:
        not_modified = HTTPStatus.NOT_MODIFIED
        headers = _referred(["X-Correlation-Id", "ETag"])
        yield str(not_modified.value), {"description": "The caller has it already.", "headers": headers}


def _download(form: Download, answer: Document) -> Iterator[tuple[str, Document]]:
    """Write into the answer what its bytes are; then the answers with some of them or with none."""
    answer["content"] = {media_type: {} for media_type in form.media_types}
    if not form.ranged:
        return
    tagged = {**_referred(["X-Correlation-Id"]), "ETag": {"$ref": "#/components/headers/ETag-Of-Bytes"}}
    answer["headers"] = tagged | _referred(["Accept-Ranges"])
    partial, unchanged = HTTPStatus.PARTIAL_CONTENT, HTTPStatus.NOT_MODIFIED
    headers = tagged | _referred(["Accept-Ranges", "Content-Range"])
    yield (
        str(partial.value),
        {"description": partial.phrase, "headers": headers, "content": answer["content"]},
    )
    yield str(unchanged.value), {"description": "The caller has it already.", "headers": tagged}


def _refusals(operation: Operation[Any], drawn: dict[Any, Any]) -> Iterator[tuple[str, Document]]:
    codes = refusals_of(operation)
    for status in sorted({CODES[code].status for code in codes}):
        here = [code for code in codes if CODES[code].status == status]
        names = ["X-Correlation-Id"] + (["Retry-After"] if status in _WAITING else [])
        names += ["WWW-Authenticate"] if status == HTTPStatus.UNAUTHORIZED else []
        examples = {code: {"$ref": f"#/components/examples/{code}"} for code in here}
        yield (
            str(status),
            {
                "description": "; ".join(f"`{code}`: {CODES[code].title}" for code in here),
                "headers": _referred(names),
                "content": {MEDIA_TYPE: {"schema": drawn[Problem], "examples": examples}},
            },
        )


def _referred(names: Iterable[str]) -> Document:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _example(code: str) -> Any:
    refused = ProblemError(code, CODES[code].remedy)
    problem = refused.problem(instance="/…", correlation_id=_CORRELATION["example"])  # type: ignore[arg-type]
    return msgspec.to_builtins(problem)
