"""How errors become refusals, and that every code is documented."""

from pathlib import Path

import pytest
from litestar.exceptions import HTTPException

from manystore import errors as engine
from mystira.domain import errors as domain
from mystira.http.problems import CODES, ProblemError
from mystira.http.refusals import refusal

ROOT = Path(__file__).parent.parent.parent


def codes_table() -> str:
    """The table of codes as docs/reference/errors.md has it."""
    rows = [f"| `{each.code}` | {each.status} | {each.title} | {each.remedy} |" for each in CODES.values()]
    return "\n".join(["| code | status | what happened | what to do |", "|---|---|---|---|", *rows])


def test_the_reference_lists_every_code() -> None:
    """The page of errors says what the code says."""
    assert codes_table() in (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")


WAITING = [
    (engine.UnavailableError(subject="accounts", reason="x", retry_after=0.2), "unavailable", "1"),
    (engine.UnavailableError(subject="postgres", reason="x", retry_after=2.1), "unavailable", "3"),
    (engine.ThrottledError(subject="documents", reason="x", retry_after=0.0), "throttled", "1"),
    (engine.DrainingError(subject="accounts", reason="x", retry_after=1.0), "draining", "1"),
    (
        engine.StaleEpochError(store="s", kind="accounts", expected=1, actual=2, admits=True),
        "draining",
        "1",
    ),
    (domain.ContendedError(kind="accounts", key="k", attempts=8), "contended", "1"),
]


@pytest.mark.parametrize(("error", "code", "seconds"), WAITING, ids=lambda value: str(value)[:30])
def test_what_passes_says_when_to_come_back(error: Exception, code: str, seconds: str) -> None:
    """Whole seconds, at least one, rounded up."""
    refused = refusal(error)
    assert (refused.code.code, refused.headers["Retry-After"]) == (code, seconds)


REFUSED = [
    (domain.InvalidValueError(field="validUntil", reason="r"), 422, "invalid_value", "validUntil"),
    (domain.NotFoundError(kind="accounts", key="k"), 404, "not_found", None),
    (domain.AlreadyExistsError(kind="accounts", key="k"), 409, "already_exists", None),
    (domain.NotUniqueError(kind="accounts", key="k", field="email"), 409, "not_unique", "email"),
    (
        domain.MissingParentError(kind="p", key="k", field="accountId", parent_kind="a", parent_key="b"),
        422,
        "missing_parent",
        "accountId",
    ),
    (
        domain.VersionMismatchError(kind="accounts", key="k", expected=1, actual=2),
        412,
        "version_mismatch",
        None,
    ),
    (
        engine.NotRepresentableError(store="s", kind="accounts", key="k", field="settings", reason="r"),
        422,
        "not_representable",
        "settings",
    ),
    (engine.VersionConflictError(kind="accounts", key="k", expected=1, actual=2), 409, "refused", None),
    (engine.UniqueError(kind="a", key="k", constraint="c", field="email"), 409, "refused", "email"),
    (
        engine.InvalidRecordError(kind="a", key="k", path="threshold", reason="r"),
        422,
        "invalid_value",
        "threshold",
    ),
    (engine.InvalidRecordError(kind="a", key="k", path="$", reason="r"), 500, "unreadable_record", None),
    (
        engine.InvalidSpecificationError(kind="a", reason="r"),
        400,
        "invalid_continuation",
        "continuation",
    ),
    (engine.UnknownKindError(kind="dragons"), 404, "unknown_kind", None),
    (engine.CertificateError(certificate="c", reason="r"), 409, "certificate_invalid", None),
    (HTTPException(status_code=400, detail="Invalid host header"), 400, "bad_request", None),
    (HTTPException(status_code=500, detail="secret"), 500, "internal_error", None),
    (ValueError("secret"), 500, "internal_error", None),
    (RecursionError(), 500, "internal_error", None),
]


@pytest.mark.parametrize(("error", "status", "code", "path"), REFUSED, ids=lambda value: str(value)[:30])
def test_each_error_has_its_code(error: Exception, status: int, code: str, path: str | None) -> None:
    """Status and code are those of the table, the path is the field that the error names."""
    refused = refusal(error)
    assert (refused.code.status, refused.code.code, refused.path) == (status, code, path)
    assert "secret" not in refused.detail


def test_every_error_of_the_domain_has_a_code() -> None:
    """A use case can refuse in no way that HTTP has no code for."""
    for error in vars(domain).values():
        is_own = isinstance(error, type) and issubclass(error, domain.DomainError)
        if is_own and error is not domain.DomainError:
            assert error.code in CODES, error


def test_a_refused_step_lists_each_condition() -> None:
    """The conditions are there one by one, for programs, and together, for people."""
    error = engine.StepRefusedError(kind="accounts", step="cut-over", conditions=["One.", "Two."])
    problem = refusal(error).problem(instance="/", correlation_id="c")
    assert problem.reasons == ("One.", "Two.")
    assert problem.detail == "Step cut-over of accounts is refused: One. Two."


def test_an_unavailable_store_does_not_tell_where_it_is() -> None:
    """Addresses and drivers' texts are for the log."""
    error = engine.UnavailableError(subject="postgres", reason="connect to 10.0.0.7:5432 failed")
    assert "10.0.0.7" not in refusal(error).detail
    shaped = engine.UnavailableError(subject="10.0.0.7:5432", reason="r")
    assert "10.0.0.7" not in refusal(shaped).detail


def test_a_problem_is_told_by_a_known_code_alone() -> None:
    """A code that is in no table is a mistake in Mystira, found where it is made."""
    with pytest.raises(KeyError):
        ProblemError("no_such_code", "x")
