"""Why a second factor is not set up, or not taken."""

from mystira.domain.errors import DomainError


class WrongSecondFactorError(DomainError):
    """The code is none that counts now: it is mistyped, too old, or was used before."""

    code = "wrong_second_factor"
    field = "code"


class SecondFactorSetError(DomainError):
    """The account has a second factor already; whoever runs the platform can take it away."""

    code = "second_factor_set"


class SecondFactorNotSetError(DomainError):
    """The account has no second factor to show yet, or not any more: set one up first."""

    code = "second_factor_not_set"
