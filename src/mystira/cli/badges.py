"""`mystira badges`: at which sums badges are earned, worked out from the stories that earn them.

What plays come to is worked out by `mystira.domain.badges.calibration`; here it is set beside what the badge
sets ask for now, shown, and written into their files.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from cyclopts import App, Parameter
from rich.table import Table
from rich.text import Text

from mystira.cli import exits
from mystira.cli.options import AsJson
from mystira.cli.output import answer
from mystira.cli.refusals import CommandError
from mystira.cli.shipped import BADGES, SCENARIOS, BadgeFile, read_badge_files, read_stories
from mystira.domain.badges.calibration import Proposal, calibrate
from mystira.domain.badges.model import TIERS, Badge, Tier
from mystira.domain.badges.reading import BadgeSet, write_badge_set

app: Final = App(name="badges", help_format="plaintext")

State = Literal["same", "differs", "missing", "out of reach"]
"""How what a set asks for on an axis stands to the proposal.

`missing`: stories move the axis, and the set lacks a tier of it. `out of reach`: it has badges of an axis on
which no story of that age moves anybody forward.
"""


class Calibrated(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One axis at one age: what plays come to, what is proposed, and what the set asks for now."""

    age_group: str
    axis: str
    state: State
    proposal: Proposal | None
    required: dict[Tier, float]


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, and the files that were written."""

    axes: list[Calibrated]
    written: list[str]


@app.command(name="calibrate")
def propose(
    *,
    stories: Annotated[
        Path | None, Parameter(help="A folder of stories, instead of those that are shipped.")
    ] = None,
    badges: Annotated[
        Path | None, Parameter(help="A folder of badge sets, instead of those that are shipped.")
    ] = None,
    write: Annotated[
        bool, Parameter(name="--write", negative=(), help="Write what is proposed into the badge sets.")
    ] = False,
    json: AsJson = False,
) -> int:
    """Propose thresholds from all that plays of the stories can come to.

    Ends with 1 where a set asks for something else; with --write, only where a badge is missing or out of
    reach, for which an author has to find words.
    """
    told, files = read_stories(stories or SCENARIOS), read_badge_files(badges or BADGES)
    found: list[Calibrated] = []
    written: list[str] = []
    for file in files:
        group = file.badge_set.age_group
        proposals = calibrate(group, told)
        rows = list(compare(file.badge_set, proposals))
        if write and any(row.state == "differs" for row in rows):
            _write(file, proposals)
            written.append(str(file.path))
            rows = list(compare(with_thresholds(file.badge_set, proposals), proposals))
        found += rows
    answer(Calibration(axes=found, written=written), json, _table(found), *_said(found, written))
    return exits.OK if all(each.state == "same" for each in found) else exits.NO


def compare(badge_set: BadgeSet, proposals: Iterable[Proposal]) -> Iterator[Calibrated]:
    """What a set asks for beside what is proposed for its age group, axis by axis."""
    asked: dict[str, dict[Tier, float]] = {}
    for badge in badge_set.badges:
        asked.setdefault(badge.axis, {})[badge.tier] = badge.required_score
    proposed = {each.axis: each for each in proposals}
    for axis in sorted(proposed.keys() | asked.keys()):
        proposal, required = proposed.get(axis), asked.get(axis, {})
        yield Calibrated(
            age_group=badge_set.age_group,
            axis=axis,
            state=_state(proposal, required),
            proposal=proposal,
            required=required,
        )


def _state(proposal: Proposal | None, required: dict[Tier, float]) -> State:
    if proposal is None:
        return "out of reach"
    if set(required) != set(TIERS):
        return "missing"
    return "same" if required == proposal.thresholds else "differs"


def with_thresholds(badge_set: BadgeSet, proposals: Iterable[Proposal]) -> BadgeSet:
    """The set at the thresholds that are proposed; a badge for which there is none stays as it is."""
    proposed = {each.axis: each.thresholds for each in proposals}

    def at_threshold(badge: Badge) -> Badge:
        score = proposed.get(badge.axis, {}).get(badge.tier, badge.required_score)
        return msgspec.structs.replace(badge, required_score=score)

    return msgspec.structs.replace(badge_set, badges=tuple(map(at_threshold, badge_set.badges)))


def _write(file: BadgeFile, proposals: Sequence[Proposal]) -> None:
    language: Literal["json", "yaml"] = "json" if file.path.suffix.lower() == ".json" else "yaml"
    data = write_badge_set(with_thresholds(file.badge_set, proposals), language)
    partial = file.path.with_name(f".{file.path.name}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(file.path)
    except OSError as error:
        message = f"{file.path} cannot be written ({error.strerror})."
        raise CommandError(message, exit_code=exits.USAGE, code="file") from error


def _table(found: Iterable[Calibrated]) -> Table:
    table = Table("age", "axis", "stories", "half reach", "playing for it", "most")
    for tier in TIERS:
        table.add_column(tier, justify="right")
    table.add_column("the set asks for")
    for each in found:
        proposal = each.proposal
        known = ("0", "–", "–", "–", *("–" for _ in TIERS))
        if proposal is not None:
            marks = (f"{proposal.thresholds[tier]:g}" for tier in TIERS)
            sums = (f"{each:g}" for each in (proposal.median, proposal.well, proposal.most))
            known = (str(proposal.stories), *sums, *marks)
        table.add_row(each.age_group, each.axis, *known, _asked(each))
    return table


def _asked(each: Calibrated) -> Text:
    if each.state == "same":
        return Text("the same", style="green")
    asked = ", ".join(f"{each.required[tier]:g}" for tier in TIERS if tier in each.required)
    return Text(f"{each.state}: {asked}" if asked else each.state, style="yellow")


def _said(found: Sequence[Calibrated], written: Sequence[str]) -> Iterator[str]:
    if written:
        yield f"Written: {', '.join(written)}."
    if any(each.state == "differs" for each in found):
        yield "Run it with --write to put what is proposed into the badge sets."
    if any(each.state in ("missing", "out of reach") for each in found):
        yield "A badge that is missing wants words, and one out of reach wants a story: write them."
