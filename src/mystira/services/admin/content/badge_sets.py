"""Badge sets as staff work on them: whole, one for each age group."""

import functools
from typing import Any, Final, Literal

from msgspec import Struct

from mystira.domain.badges.model import AxisAchievement, Badge
from mystira.domain.badges.reading import read_badge_set, write_badge_set
from mystira.domain.badges.sets import SetOutcome, import_set, read_set
from mystira.domain.files.findings import Finding
from mystira.domain.files.nodes import MOST_BYTES
from mystira.http.callers import STAFF
from mystira.http.operations import Answer, Call, Operation, show
from mystira.http.queries import Nothing
from mystira.http.transfers import Download, Upload, send_file
from mystira.services.admin.content.shelves import Shelves, body_of, language_of

SET_FILE: Final = Upload(
    media_types=("application/json", "application/yaml", "text/yaml", "application/octet-stream"),
    most_bytes=MOST_BYTES,
    meaning="The badges and achievements of one age group, in JSON or YAML",
)


class BadgeSetView(Struct, frozen=True, kw_only=True, rename="camel"):
    """All badges of an age group, and what moving along each axis means at that age."""

    age_group: str
    badges: tuple[Badge, ...]
    achievements: tuple[AxisAchievement, ...]


class SetBrought(Struct, frozen=True, kw_only=True):
    """What became of a set, and what is unusual in its file."""

    outcome: SetOutcome
    findings: tuple[Finding, ...]


class SetForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In which language to write."""

    form: Literal["json", "yaml"] = "json"


class BadgeSetRoutes:
    """What each operation on badge sets does."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves

    async def bring(self, call: Call[Nothing]) -> Answer:
        """Put a set in the place of its age group's."""
        shelves = self._shelves
        vocabulary = await shelves.vocabulary()
        review = read_badge_set(await body_of(call).whole(), language=language_of(call), axes=vocabulary.axes)
        outcome = await import_set(shelves.badges, shelves.achievements, review, clock=shelves.clock)
        return show(SetBrought(outcome=outcome, findings=review.findings))

    async def read(self, call: Call[Nothing]) -> Answer:
        """The set of an age group."""
        kept = await read_set(self._shelves.badges, self._shelves.achievements, call.path["ageGroup"])
        return show(
            BadgeSetView(age_group=kept.age_group, badges=kept.badges, achievements=kept.achievements)
        )

    async def export(self, call: Call[SetForm]) -> Answer:
        """The set of an age group as a file."""
        kept = await read_set(self._shelves.badges, self._shelves.achievements, call.path["ageGroup"])
        form = call.sent.form
        name = f"badges-{kept.age_group}.{form}"
        return send_file(write_badge_set(kept, form), media_type=f"application/{form}", name=name)


def badge_set_operations(shelves: Shelves) -> tuple[Operation[Any], ...]:
    """What can be asked about badge sets."""
    routes = BadgeSetRoutes(shelves)
    operation = functools.partial(Operation, tag="badge sets", allows=STAFF)
    return (
        operation(
            method="POST",
            path="/badge-sets",
            name="importBadgeSet",
            summary="Put a badge set in the place of its age group's",
            description=(
                "The whole set or nothing. A badge that is in the former set and in this one stays the same "
                "record, so that those who earned it keep it."
            ),
            takes=Nothing,
            handle=routes.bring,
            answers={200: SetBrought},
            refuses=("invalid_content", "contended", "not_representable"),
            uploads=SET_FILE,
        ),
        operation(
            method="GET",
            path="/badge-sets/{ageGroup}",
            name="getBadgeSet",
            summary="The badges of an age group",
            takes=Nothing,
            handle=routes.read,
            answers={200: BadgeSetView},
            refuses=("not_found",),
        ),
        operation(
            method="GET",
            path="/badge-sets/{ageGroup}/file",
            name="exportBadgeSet",
            summary="The badges of an age group as a file",
            takes=SetForm,
            handle=routes.export,
            answers={200: Download(media_types=("application/json", "application/yaml"))},
            refuses=("not_found",),
        ),
    )
