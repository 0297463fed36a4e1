"""Why somebody cannot sign in. Each is the same whether or not the address has an account."""

from mystira.domain.errors import DomainError


class WrongCodeError(DomainError):
    """The code is not the one that was mailed for this request; attempts left: {left}."""

    code = "wrong_code"
    field = "code"

    def __init__(self, *, left: int) -> None:
        self.left = left
        super().__init__(left=left)


class CodeVoidError(DomainError):
    """No code opens anything by this request, or not any more: ask for a new one.

    It was used, is too old, was guessed at too often, or there never was such a request.
    """

    code = "code_void"
