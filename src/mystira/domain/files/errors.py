"""How content is refused that somebody brings in."""

from collections.abc import Sequence

from mystira.domain.errors import DomainError
from mystira.domain.files.findings import Finding


class InvalidContentError(DomainError):
    """{name} cannot be taken: {count} things are broken, the first is: {first}

    `findings` are all that was found, what is only unusual included.
    """

    code = "invalid_content"

    def __init__(self, *, name: str, findings: Sequence[Finding]) -> None:
        self.name, self.findings = name, tuple(findings)
        errors = [each for each in self.findings if each.is_error]
        super().__init__(name=name, count=len(errors), first=errors[0].message if errors else "nothing")
