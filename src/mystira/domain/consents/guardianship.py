"""What is needed to ask parents, put together once by whoever does."""

import random
from typing import Protocol, TypeVar

from manystore.clock import Clock
from manystore.records import Kind
from manystore.repository import Repository
from mystira.domain.accounts.use_cases import Accounts
from mystira.domain.consents.kind import DELETION_REQUESTS, PARENTAL_CONSENTS
from mystira.domain.consents.model import DeletionRequest, ParentalConsent
from mystira.domain.consents.use_cases import Guardianship
from mystira.domain.profiles.use_cases import Profiles
from mystira.domain.records import Entity

E = TypeVar("E", bound=Entity)


class Records(Protocol):
    """Where repositories come from."""

    @property
    def accounts(self) -> Accounts:
        """All accounts."""

    @property
    def profiles(self) -> Profiles:
        """All profiles."""

    @property
    def clock(self) -> Clock:
        """The time."""

    def repository(self, model: type[E], kind: Kind) -> Repository[E]:
        """The records of a kind."""


def guardianship_of(records: Records, *, key: str) -> Guardianship:
    """What parents are asked with, by the key of the platform."""
    return Guardianship(
        consents=records.repository(ParentalConsent, PARENTAL_CONSENTS),
        deletions=records.repository(DeletionRequest, DELETION_REQUESTS),
        accounts=records.accounts,
        profiles=records.profiles,
        key=key,
        clock=records.clock,
        randomness=random.SystemRandom(),
    )
