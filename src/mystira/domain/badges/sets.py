"""Badge sets as they are kept: brought in whole, replaced whole, given out whole.

A set is many records, and no store here changes many at once. So everything is judged before anything is
written; new badges come before old ones go, so that at no moment a tier is missing that is in both sets; what
could not be written to its end is put back; and a set brought in again after a crash is simply completed.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from manystore.clock import Clock
from manystore.errors import ManystoreError
from manystore.repository import Repository, Stored
from manystore.specifications import Specification, field
from mystira.domain.badges.model import AxisAchievement, Badge
from mystira.domain.badges.reading import BadgeReview, BadgeSet
from mystira.domain.errors import (
    AlreadyExistsError,
    ContendedError,
    DomainError,
    NotFoundError,
    VersionMismatchError,
)
from mystira.domain.files.errors import InvalidContentError
from mystira.domain.records import change_record, create_record, delete_record

Badges = Repository[Badge]
Achievements = Repository[AxisAchievement]

_MOST: Final = 1000
_TIMES: Final = ("created_at", "updated_at")


class SetOutcome(Struct, frozen=True, kw_only=True, rename="camel"):
    """How many records a new set made, changed, removed and left as they were."""

    age_group: str
    created: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0


async def read_set(badges: Badges, achievements: Achievements, age_group: str) -> BadgeSet:
    """The set of an age group. Raises NotFoundError where it has neither badges nor achievements."""
    kept = await _kept(badges, age_group)
    told = await _kept(achievements, age_group)
    if not kept and not told:
        raise NotFoundError(kind="badges", key=age_group)
    return BadgeSet(
        age_group=age_group,
        badges=tuple(kept[key].value for key in sorted(kept)),
        achievements=tuple(told[key].value for key in sorted(told)),
    )


async def import_set(
    badges: Badges, achievements: Achievements, review: BadgeReview, *, clock: Clock
) -> SetOutcome:
    """Put a set in the place of its age group's. Raises InvalidContentError, ContendedError.

    Whatever is raised, the former set stands, unless the store failed twice; then bring it in again.
    """
    wanted = review.badge_set
    if wanted is None:
        raise InvalidContentError(name="The badge set", findings=review.findings)
    writing = _Writing(clock)
    try:
        # What an axis means is told before there are badges of it.
        await writing.put(achievements, wanted.achievements, await _kept(achievements, wanted.age_group))
        await writing.put(badges, wanted.badges, await _kept(badges, wanted.age_group))
        await writing.remove()
    except (VersionMismatchError, AlreadyExistsError, NotFoundError) as error:
        await writing.undo()
        raise ContendedError(kind="badges", key=wanted.age_group, attempts=1) from error
    except BaseException:
        await writing.undo()
        raise
    return writing.outcome(wanted.age_group)


class _Writing:
    """What was done so far, so that it can be undone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made: list[tuple[Repository[Any], str, int]] = []
        self._changed: list[tuple[Repository[Any], Stored[Any], int]] = []
        self._removed: list[tuple[Repository[Any], Stored[Any]]] = []
        self._obsolete: list[tuple[Repository[Any], Stored[Any]]] = []
        self._unchanged = 0

    async def put(
        self, repository: Repository[Any], wanted: Sequence[Any], kept: Mapping[str, Stored[Any]]
    ) -> None:
        """Make what is new and change what differs, each at the version that was seen."""
        now = self._clock.now()
        for value in wanted:
            former = kept.get(value.id)
            if former is None:
                made = await create_record(
                    repository, msgspec.structs.replace(value, created_at=now, updated_at=now)
                )
                self._made.append((repository, made.key, made.version))
                continue
            times = {name: getattr(former.value, name) for name in _TIMES}
            new = msgspec.structs.replace(value, **times)
            if new == former.value:
                self._unchanged += 1
                continue
            changed = await change_record(
                repository, value.id, _always(new), now=now, expected=former.version
            )
            self._changed.append((repository, former, changed.version))
        names = {value.id for value in wanted}
        self._obsolete += [(repository, stored) for key, stored in kept.items() if key not in names]

    async def remove(self) -> None:
        """Take away what the new set no longer has."""
        for repository, stored in self._obsolete:
            await delete_record(repository, stored.key, expected=stored.version)
            self._removed.append((repository, stored))

    async def undo(self) -> None:
        """Put back what stood before, where nobody else has written since.

        What goes wrong here is passed over: the error that led here is the one to be told.
        """
        now = self._clock.now()
        for repository, stored in self._removed:
            with contextlib.suppress(DomainError, ManystoreError):
                await create_record(repository, stored.value)
        for repository, former, version in self._changed:
            with contextlib.suppress(DomainError, ManystoreError):
                before = _always(former.value)
                await change_record(repository, former.key, before, now=now, expected=version)
        for repository, key, version in self._made:
            with contextlib.suppress(DomainError, ManystoreError):
                await delete_record(repository, key, expected=version)

    def outcome(self, age_group: str) -> SetOutcome:
        """How much was done."""
        return SetOutcome(
            age_group=age_group,
            created=len(self._made),
            changed=len(self._changed),
            removed=len(self._removed),
            unchanged=self._unchanged,
        )


def _always(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


async def _kept(repository: Repository[Any], age_group: str) -> dict[str, Stored[Any]]:
    where = field("ageGroup") == age_group
    found = await repository.find(Specification(where=where, limit=_MOST))
    return {stored.key: stored for stored in found.items}
