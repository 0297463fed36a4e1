"""At which sums badges are earned: worked out by hand for small stories, and held against what is shipped."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manystore.records import Content
from mystira.cli import exits
from mystira.cli.badges import compare, with_thresholds
from mystira.cli.entry import run
from mystira.cli.shipped import BADGES, read_badge_files
from mystira.domain.badges.calibration import (
    best_choices,
    best_path,
    calibrate,
    distribution,
)
from mystira.domain.badges.model import TIERS
from mystira.domain.scenarios.model import Scenario
from mystira.domain.sessions.model import Choose, ReadOn, Roll, SessionStatus
from mystira.domain.sessions.use_cases import choose, read_on, roll
from tests.unit.playroom import CALM, MIA, branch, moving, open_playroom, scene
from tests.unit.stories.plays import PLAYER, STORIES, every_play, story_of, told_play

SETS = {file.badge_set.age_group: file.badge_set for file in read_badge_files(BADGES)}
HONESTY = "Honesty"


def tale(*scenes: Content, **more: Any) -> Scenario:
    """A story of these scenes."""
    times = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}
    named = {"id": "tale", "title": "Tale", "ageGroup": "6-9", "minimumAge": 6}
    return msgspec.convert(times | named | {"scenes": list(scenes)} | more, Scenario)


def test_choices_are_as_likely_as_each_other_and_dice_fall_as_dice_do() -> None:
    """Half go each way; at a difficulty of 6 three quarters of all throws succeed."""
    story = tale(
        scene("a", "choice", branches=[branch("x", "b", **moving(CALM, 0.5)), branch("y", "end")]),
        scene(
            "b", "roll", difficulty=6, branches=[branch("s", "end", **moving(CALM, 0.1)), branch("f", "end")]
        ),
        scene("end", "special"),
    )
    assert distribution(story, CALM) == pytest.approx({0.0: 0.5, 0.6: 0.375, 0.5: 0.125})
    assert distribution(story, CALM, {"a": 0}) == pytest.approx({0.6: 0.75, 0.5: 0.25})


def test_a_loop_is_walked_until_hardly_anybody_is_in_it() -> None:
    """Half leave it each time, so that each further round is half as likely."""
    story = tale(
        scene("a", "choice", branches=[branch("again", "a", **moving(CALM, 0.5)), branch("on", "end")]),
        scene("end", "special"),
    )
    found = distribution(story, CALM)
    assert [found[each / 2] for each in range(4)] == pytest.approx([0.5, 0.25, 0.125, 0.0625])
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-7)


def test_who_plays_for_an_axis_weighs_what_comes_later_against_dice() -> None:
    """A sure 0.3 now is less than 0.5 at nineteen of twenty throws, and more than at one of twenty."""

    def told(difficulty: int) -> Scenario:
        risky = [branch("s", "end", **moving(CALM, 0.5)), branch("f", "end")]
        return tale(
            scene("a", "choice", branches=[branch("sure", "end", **moving(CALM, 0.3)), branch("dare", "b")]),
            scene("b", "roll", difficulty=difficulty, branches=risky),
            scene("end", "special"),
        )

    assert best_choices(told(2), CALM) == {"a": 1}
    assert best_choices(told(20), CALM) == {"a": 0}
    assert best_path(told(20), CALM) == (0.5, (("a", 1), ("b", 0)))


def test_thresholds_rise_and_stay_within_reach() -> None:
    """Also where hardly any room is: five steps below 0.3."""
    story = tale(
        scene("a", "choice", branches=[branch("x", "end", **moving(CALM, 0.3)), branch("y", "end")]),
        scene("end", "special"),
    )
    (proposal,) = calibrate("6-9", [story])
    marks = [proposal.thresholds[tier] for tier in TIERS]
    assert marks == sorted(set(marks))
    assert marks[0] > 0
    assert marks[-1] <= proposal.most == 0.3


def test_where_nothing_can_be_earned_nothing_is_proposed() -> None:
    """An axis that only falls, one that hardly moves, and a story for older players."""
    only_down = tale(
        scene("a", "choice", branches=[branch("x", "end", **moving(CALM, -0.3)), branch("y", "end")]),
        scene("end", "special"),
    )
    hardly = tale(
        scene("a", "choice", branches=[branch("x", "end", **moving(CALM, 0.2)), branch("y", "end")]),
        scene("end", "special"),
    )
    assert calibrate("6-9", [only_down]) == []
    assert calibrate("6-9", [hardly]) == []
    assert calibrate("3-5", list(STORIES.values()))
    assert calibrate("1-2", [story for story in STORIES.values() if story.minimum_age > 1]) == []


@pytest.mark.parametrize("age_group", SETS)
def test_what_is_shipped_is_what_is_proposed(age_group: str) -> None:
    """No story changed without its badges, and no badge without its stories."""
    rows = list(compare(SETS[age_group], calibrate(age_group, STORIES.values())))
    assert {row.state for row in rows} == {"same"}


@pytest.mark.parametrize("age_group", SETS)
def test_every_badge_is_earned_by_plays_that_can_be_named(age_group: str) -> None:
    """One play of each story that the age may play, taken by the real rules, reaches diamond of an axis."""
    youngest = int(age_group.partition("-")[0])
    playable = [story for story in STORIES.values() if story.minimum_age <= youngest]
    for axis in {badge.axis for badge in SETS[age_group].badges}:
        total = 0.0
        for story in playable:
            most, path = best_path(story, axis)
            came = told_play(story_of(story), dict(path)).player_compass_totals[PLAYER].get(axis, 0.0)
            assert came == pytest.approx(most)
            total += came
        diamond = max(badge.required_score for badge in SETS[age_group].badges if badge.axis == axis)
        assert total >= diamond


@pytest.mark.parametrize("age_group", SETS)
def test_bronze_comes_early_and_diamond_not_by_itself(age_group: str) -> None:
    """Half of all first plays reach bronze on some axis at once; who takes any way hardly reaches diamond."""
    for proposal in calibrate(age_group, STORIES.values()):
        assert proposal.thresholds["bronze"] <= proposal.median
        assert proposal.thresholds["diamond"] <= proposal.well
        if proposal.stories > 1:
            assert proposal.thresholds["diamond"] > proposal.median
    first = [story for story in STORIES.values() if story.age_group == age_group]
    bronze = {badge.axis: badge.required_score for badge in SETS[age_group].badges if badge.tier == "bronze"}
    for story in first:
        plays = list(every_play(story_of(story)))
        earning = [
            play
            for play in plays
            if any(sum_ >= bronze[axis] for axis, sum_ in play.player_compass_totals[PLAYER].items())
        ]
        assert len(earning) > len(plays) / 2


async def test_playing_all_stories_for_one_axis_brings_all_five_of_its_badges() -> None:
    """By the use cases themselves: sessions, dice, scores and awards, in the order of the tiers."""
    room = await open_playroom()
    for badge in SETS["6-9"].badges:
        if badge.axis == HONESTY:
            await room.badges.create(badge)
    playable = [story for story in STORIES.values() if story.minimum_age <= 6]
    for story in playable:
        await room.scenarios.create(msgspec.structs.replace(story, is_active=True))
        branches = dict(best_path(story, HONESTY)[1])
        session = (await room.start(scenario=story.id)).stored.value
        while session.status is SessionStatus.IN_PROGRESS:
            at = session.current_scene_id or ""
            here = next(each for each in story.scenes if each.id == at)
            if here.type == "roll":
                room.dice.load(20 if branches.get(at, 0) == 0 else 1)
                await roll(room.play, session.id, Roll(scene_id=at))
            elif here.branches:
                await choose(room.play, session.id, Choose(scene_id=at, branch=branches.get(at, 0)))
            else:
                await read_on(room.play, session.id, ReadOn(scene_id=at))
            session = await room.session(session.id)
    earned = [each for each in await room.badges_of(MIA) if each.startswith("6-9-honesty")]
    assert earned == [f"6-9-honesty-{tier}-1" for tier in TIERS]


def _copied(tmp_path: Path) -> Path:
    folder = tmp_path / "badges"
    shutil.copytree(BADGES, folder)
    return folder


def test_the_command_says_that_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """Of what is shipped, as one JSON document and as a table."""
    assert run(["badges", "calibrate", "--json"]) == exits.OK
    axes = json.loads(capsys.readouterr().out)["axes"]
    assert {each["state"] for each in axes} == {"same"}
    assert {each["ageGroup"] for each in axes} == set(SETS)
    assert run(["badges", "calibrate"]) == exits.OK
    assert "diamond" in capsys.readouterr().out


def test_the_command_finds_and_mends_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 1 and changes nothing; with --write it puts back, to the byte, what was changed."""
    folder = _copied(tmp_path)
    path, shipped = folder / "6-9.yaml", (BADGES / "6-9.yaml").read_bytes()
    path.write_bytes(shipped.replace(b"Required_Score: 0.35", b"Required_Score: 0.3"))
    assert path.read_bytes() != shipped
    assert run(["badges", "calibrate", "--badges", str(folder)]) == exits.NO
    assert path.read_bytes() != shipped
    assert "--write" in capsys.readouterr().out
    assert run(["badges", "calibrate", "--badges", str(folder), "--write", "--json"]) == exits.OK
    assert json.loads(capsys.readouterr().out)["written"] == [str(path)]
    assert path.read_bytes() == shipped


def test_a_badge_that_nobody_wrote_is_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No threshold can be written where there are no words; neither where no story leads."""
    folder = _copied(tmp_path)
    path = folder / "6-9.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("Compass_Axis_Id: Honesty", "Compass_Axis_Id: Thrift"), encoding="utf-8")
    assert run(["badges", "calibrate", "--badges", str(folder), "--write", "--json"]) == exits.NO
    axes = json.loads(capsys.readouterr().out)["axes"]
    states = {each["axis"]: each["state"] for each in axes if each["ageGroup"] == "6-9"}
    assert states["Honesty"] == "missing"
    assert states["Thrift"] == "out of reach"
    assert states["Courage"] == "same"


def test_other_words_of_a_badge_stay() -> None:
    """Only what a badge asks for is calibrated."""
    badge_set = SETS["3-5"]
    moved = [msgspec.structs.replace(badge, required_score=9.0) for badge in badge_set.badges]
    changed = msgspec.structs.replace(badge_set, badges=tuple(moved))
    assert with_thresholds(changed, calibrate("3-5", STORIES.values())) == badge_set


@pytest.mark.parametrize(
    "wrong", [["--stories", "{empty}"], ["--badges", "{empty}"], ["--stories", "nowhere"]]
)
def test_a_folder_without_stories_or_badges_ends_with_2(
    wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, and no traceback."""
    words = [word.replace("{empty}", str(tmp_path)) for word in wrong]
    assert run(["badges", "calibrate", *words]) == exits.USAGE
    assert "Traceback" not in capsys.readouterr().err
