"""How each error of the domain, the engine and the framework becomes a refusal.

What nobody foresaw becomes `internal_error`, which says nothing of the inside.
"""

import functools
import math
from typing import Final

from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException

from manystore import errors as engine
from mystira.domain.errors import ContendedError, DomainError, TooOftenError
from mystira.domain.files.errors import InvalidContentError
from mystira.domain.sessions.errors import NotEntitledError
from mystira.http.problems import ProblemError

_INTERNAL: Final = "The request could not be carried out; whether it changed anything is not known."


@functools.singledispatch
def refusal(error: Exception) -> ProblemError:
    """The refusal that a caller is shown for an error."""
    return ProblemError("internal_error", _INTERNAL)


@refusal.register
def _(error: ProblemError) -> ProblemError:
    return error


@refusal.register
def _(error: DomainError) -> ProblemError:
    return ProblemError(error.code, str(error), path=getattr(error, "field", None))


@refusal.register
def _(error: InvalidContentError) -> ProblemError:
    return ProblemError(error.code, str(error), findings=error.findings)


@refusal.register
def _(error: NotEntitledError) -> ProblemError:
    return ProblemError(error.code, str(error), path=error.field, bundles=error.bundles)


@refusal.register
def _(error: ContendedError) -> ProblemError:
    return ProblemError(error.code, str(error), headers=retry_after(1.0))


@refusal.register
def _(error: TooOftenError) -> ProblemError:
    return ProblemError(error.code, str(error), headers=retry_after(error.retry_after))


@refusal.register
def _(error: engine.UnavailableError) -> ProblemError:
    return ProblemError("unavailable", _wait(error), headers=retry_after(error.retry_after))


@refusal.register
def _(error: engine.ThrottledError) -> ProblemError:
    return ProblemError("throttled", _wait(error), headers=retry_after(error.retry_after))


@refusal.register
def _(error: engine.DrainingError) -> ProblemError:
    return ProblemError("draining", _wait(error), headers=retry_after(error.retry_after))


@refusal.register
def _(error: engine.StaleEpochError) -> ProblemError:
    detail = "The records moved while this was being written; nothing was written."
    return ProblemError("draining", detail, headers=retry_after(1.0))


@refusal.register
def _(error: engine.NotRepresentableError) -> ProblemError:
    return ProblemError("not_representable", str(error), path=error.field)


@refusal.register
def _(error: engine.RefusedError) -> ProblemError:
    return ProblemError("refused", str(error), path=getattr(error, "field", None))


@refusal.register
def _(error: engine.InvalidRecordError) -> ProblemError:
    if error.path == "$":
        # Not what was sent: the stored record as a whole is none that this release can read.
        return ProblemError("unreadable_record", f"Record {error.key} of {error.kind} cannot be read.")
    return ProblemError("invalid_value", f"The value cannot be kept: {error.reason}.", path=error.path)


@refusal.register
def _(error: engine.InvalidSpecificationError) -> ProblemError:
    return ProblemError("invalid_continuation", str(error), path="continuation")


@refusal.register
def _(error: engine.UnknownKindError) -> ProblemError:
    return ProblemError("unknown_kind", str(error))


@refusal.register
def _(error: engine.StepRefusedError) -> ProblemError:
    detail = f"Step {error.step} of {error.kind} is refused: {' '.join(error.conditions)}"
    return ProblemError("step_refused", detail, reasons=error.conditions)


@refusal.register
def _(error: engine.CertificateError) -> ProblemError:
    return ProblemError("certificate_invalid", str(error))


@refusal.register
def _(error: HTTPException) -> ProblemError:
    # The framework's own complaints about the request: a host that cannot be, for one.
    if error.status_code >= 500:
        return ProblemError("internal_error", _INTERNAL)
    return ProblemError("bad_request", f"{error.detail}.")


@refusal.register
def _(error: NotFoundException) -> ProblemError:
    return ProblemError("unknown_route", "No operation has this path.")


@refusal.register
def _(error: MethodNotAllowedException) -> ProblemError:
    allowed = sorted({method.strip() for method in (error.headers or {}).get("allow", "").split(",")})
    names = ", ".join(allowed)
    return ProblemError("method_not_allowed", f"This path takes {names}.", headers={"Allow": names})


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says when to ask again, in whole seconds and never at once."""
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


def _wait(error: engine.UnavailableError) -> str:
    # The reason names servers and addresses, which are for the log and not for callers.
    return f"{_subject(error)} cannot be asked just now; the header Retry-After says when to try again."


def _subject(error: engine.UnavailableError) -> str:
    return error.subject if error.subject.replace("_", "").isalpha() else "A store"
