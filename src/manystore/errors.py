"""Every way in which the engine refuses, in one place.

    ManystoreError
    ├── DeclarationError            a kind, mapping or placement is declared wrongly
    ├── InvalidRecordError          content that no store may hold (NaN, a key of the wrong form)
    ├── InvalidSpecificationError   a predicate, order or continuation that cannot be evaluated
    ├── UnknownKindError            nothing is declared under this name
    ├── RefusedError                the store understood, and said no
    │   ├── VersionConflictError    the expected version is not the present one
    │   ├── StaleEpochError         the write was made under an epoch that is over
    │   ├── UniqueError             another record holds the same value
    │   ├── MissingParentError      the record that this one points to is not there
    │   └── NotRepresentableError   a value that the store cannot hold exactly
    ├── LogCutError                 changes that a reader has not seen were removed from the log
    ├── UnavailableError            try again later; nothing is known to be written
    │   ├── ThrottledError          the store asked to wait
    │   └── DrainingError           a cut-over is under way; the wait is short
    └── MoveError
        ├── StepRefusedError        conditions of the step are not met; each is listed
        └── CertificateError        a certificate that is absent, altered, or no longer true

An error's message is its class's docstring, filled in from its attributes, so that text and facts cannot
drift apart. Catch the narrowest class; everything here is meant to be caught by type, never by text.
"""

from collections.abc import Sequence


class ManystoreError(Exception):
    """The engine refused."""

    def __init__(self, **facts: object) -> None:
        for name, fact in facts.items():
            setattr(self, name, fact)
        sentence = " ".join((type(self).__doc__ or "").split("\n\n", 1)[0].split())
        super().__init__(sentence.format(**facts))
        self._facts = facts

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword-only facts cross process borders (worker pools) only if told how.
        return (_rebuild, (type(self), self._facts))


def _rebuild(cls: type[ManystoreError], facts: dict[str, object]) -> ManystoreError:
    return cls(**facts)


class DeclarationError(ManystoreError):
    """Declaration of {subject} is wrong: {reason}."""

    def __init__(self, *, subject: str, reason: str) -> None:
        self.subject, self.reason = subject, reason
        super().__init__(subject=subject, reason=reason)


class UnknownKindError(ManystoreError):
    """No kind is declared as {kind!r}."""

    def __init__(self, *, kind: str) -> None:
        self.kind = kind
        super().__init__(kind=kind)


class InvalidRecordError(ManystoreError):
    """Record {kind}/{key} was refused at {path}: {reason}."""

    def __init__(self, *, kind: str, key: str, path: str, reason: str) -> None:
        self.kind, self.key, self.path, self.reason = kind, key, path, reason
        super().__init__(kind=kind, key=key, path=path, reason=reason)


class InvalidSpecificationError(ManystoreError):
    """Specification over {kind} was refused: {reason}."""

    def __init__(self, *, kind: str, reason: str) -> None:
        self.kind, self.reason = kind, reason
        super().__init__(kind=kind, reason=reason)


class RefusedError(ManystoreError):
    """The store said no."""


class VersionConflictError(RefusedError):
    """Record {kind}/{key} is at version {actual}, not at {expected}: read it again and repeat the change.

    `expected` is None where the caller wanted the record to be absent; `actual` is None where it is absent.
    """

    def __init__(self, *, kind: str, key: str, expected: int | None, actual: int | None) -> None:
        self.kind, self.key, self.expected, self.actual = kind, key, expected, actual
        super().__init__(kind=kind, key=key, expected=expected, actual=actual)


class StaleEpochError(RefusedError):
    """Store {store} takes writes of {kind} under epoch {actual} (admitting: {admits}), not {expected}.

    `actual` is None where the store has no fence for the kind at all. Nothing was written; ask placement
    again and repeat.
    """

    def __init__(self, *, store: str, kind: str, expected: int, actual: int | None, admits: bool) -> None:
        self.store, self.kind, self.expected, self.actual = store, kind, expected, actual
        self.admits = admits
        super().__init__(store=store, kind=kind, expected=expected, actual=actual, admits=admits)


class UniqueError(RefusedError):
    """Another {kind} already has this value of {field} ({constraint}); record {key} was not written."""

    def __init__(self, *, kind: str, key: str, constraint: str, field: str) -> None:
        self.kind, self.key, self.constraint, self.field = kind, key, constraint, field
        super().__init__(kind=kind, key=key, constraint=constraint, field=field)


class MissingParentError(RefusedError):
    """Record {kind}/{key} points by {field} to {parent_kind}/{parent_key}, which is not there yet."""

    def __init__(self, *, kind: str, key: str, field: str, parent_kind: str, parent_key: str) -> None:
        self.kind, self.key, self.field = kind, key, field
        self.parent_kind, self.parent_key = parent_kind, parent_key
        super().__init__(kind=kind, key=key, field=field, parent_kind=parent_kind, parent_key=parent_key)


class NotRepresentableError(RefusedError):
    """Store {store} cannot hold {kind}/{key} exactly: {field}: {reason}."""

    def __init__(self, *, store: str, kind: str, key: str, field: str, reason: str) -> None:
        self.store, self.kind, self.key, self.field, self.reason = store, kind, key, field, reason
        super().__init__(store=store, kind=kind, key=key, field=field, reason=reason)


class LogCutError(ManystoreError):
    """The log of {kind} in {store} has been cut beyond {position}, where its reader stands: copy all anew."""

    def __init__(self, *, store: str, kind: str, position: tuple[int, ...]) -> None:
        self.store, self.kind, self.position = store, kind, position
        super().__init__(store=store, kind=kind, position=position)


class UnavailableError(ManystoreError):
    """{subject} is not available ({reason}); try again in {retry_after:.1f} s."""

    def __init__(self, *, subject: str, reason: str, retry_after: float = 1.0) -> None:
        self.subject, self.reason, self.retry_after = subject, reason, retry_after
        super().__init__(subject=subject, reason=reason, retry_after=retry_after)


class ThrottledError(UnavailableError):
    """{subject} asked to be asked less often ({reason}); try again in {retry_after:.1f} s."""


class DrainingError(UnavailableError):
    """Writes of {subject} are paused ({reason}); try again in {retry_after:.1f} s."""


class MoveError(ManystoreError):
    """A step of a move was not taken."""


class StepRefusedError(MoveError):
    """Step {step} of {kind} is refused: {conditions_text}.

    `conditions` lists every unmet condition, each a full sentence that says what to do.
    """

    def __init__(self, *, kind: str, step: str, conditions: Sequence[str]) -> None:
        self.kind, self.step, self.conditions = kind, step, tuple(conditions)
        text = "; ".join(self.conditions)
        super().__init__(kind=kind, step=step, conditions=self.conditions, conditions_text=text)

    def __reduce__(self) -> tuple[object, ...]:
        facts = {"kind": self.kind, "step": self.step, "conditions": self.conditions}
        return (_rebuild, (StepRefusedError, facts))


class CertificateError(MoveError):
    """Certificate {certificate} does not hold: {reason}."""

    def __init__(self, *, certificate: str, reason: str) -> None:
        self.certificate, self.reason = certificate, reason
        super().__init__(certificate=certificate, reason=reason)
