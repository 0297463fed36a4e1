"""What sums on each axis plays of given stories come to, and the badges that follow from that.

A player who chooses at random, and rolls as a d20 falls, walks through a story as a Markov chain. Its sums on
an axis have a distribution that is worked out exactly, scene by scene, not sampled. A loop is walked until
less than one play in a hundred million is still under way, and ten thousand scenes at most.

The proposal for an age group, from all stories that it may play:

    bronze      what half of all players reach with the first story that moves the axis
    gold        what half of them reach with all stories
    diamond     what half of those reach with all stories who choose, each time, the way with the best
                prospects on the axis, while dice fall as they do; nine tenths of the most at most
    silver, platinum    halfway between their neighbours

A story counts once, by the first play of it, so that diamond must not hang on luck with dice.
"""

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from mystira.domain.badges.model import TIERS, Tier
from mystira.domain.scenarios.model import Branch, Scenario, Scene

Distribution = Mapping[float, float]
"""Probability by sum."""

_NEGLIGIBLE: Final = 1e-8
_LONGEST: Final = 10_000
"""Scenes of one play."""
_DIGITS: Final = 4
"""To which sums are rounded, so that 0.1 + 0.2 meets 0.3."""
_DIAMOND: Final = 0.9
_STEP: Final = 0.05
"""Thresholds are multiples of this."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Thresholds for one axis at one age by tier, and what they follow from.

    `median` is what half of all players reach with all stories, `well` what half of those do who choose for
    this axis, `most` the most of all.
    """

    age_group: str
    axis: str
    stories: int
    median: float
    well: float
    most: float
    thresholds: dict[Tier, float]


def calibrate(age_group: str, scenarios: Iterable[Scenario]) -> list[Proposal]:
    """Proposals for every axis on which the stories that this age may play can be moved forward."""
    youngest = int(age_group.split("-", maxsplit=1)[0])
    playable = [scenario for scenario in scenarios if scenario.minimum_age <= youngest]
    axes = sorted({axis for scenario in playable for axis in axes_of(scenario)})
    proposals = (_propose(age_group, axis, playable) for axis in axes)
    return [proposal for proposal in proposals if proposal is not None]


def axes_of(scenario: Scenario) -> set[str]:
    """The axes that a story's choices move."""
    return {
        branch.compass_change.axis
        for scene in scenario.scenes
        for branch in scene.branches
        if branch.compass_change is not None
    }


def distribution(scenario: Scenario, axis: str, chosen: Mapping[str, int] | None = None) -> Distribution:
    """The sums on an axis at the end of a play.

    In the scenes that `chosen` names, players take the branch of that number; anywhere else every choice is
    as likely as every other.
    """
    scenes, always = {scene.id: scene for scene in scenario.scenes}, chosen or {}
    under_way: dict[tuple[str, float], float] = {(scenario.first_scene.id, 0.0): 1.0}
    ended: dict[float, float] = defaultdict(float)
    for _ in range(_LONGEST):
        onward: dict[tuple[str, float], float] = defaultdict(float)
        for (scene_id, total), share in under_way.items():
            ways = list(_ways(scenes[scene_id], axis))
            if scene_id in always:
                scene, delta, _likelihood = ways[always[scene_id]]
                ways = [(scene, delta, 1.0)]
            if not ways:
                ended[total] += share
            for scene, delta, likelihood in ways:
                onward[scene, round(total + delta, _DIGITS)] += share * likelihood
        under_way = dict(onward)
        if sum(under_way.values()) <= _NEGLIGIBLE:
            break
    return dict(ended)


def best_choices(scenario: Scenario, axis: str) -> dict[str, int]:
    """The branch of each choice that promises the most on an axis, on average over all dice."""
    scenes = {scene.id: scene for scene in scenario.scenes}
    promised: dict[str, float] = {}
    chosen: dict[str, int] = {}
    for scene_id in _from_the_ends(scenario):
        scene = scenes[scene_id]
        # What leads back is not known yet, and promises nothing more than it has brought.
        ways = [
            (delta + promised.get(to, 0.0), share, to in promised) for to, delta, share in _ways(scene, axis)
        ]
        if scene.type == "roll" or not scene.branches:
            promised[scene_id] = sum(promise * share for promise, share, _ in ways)
            continue
        onward = [at for at, way in enumerate(ways) if way[2]]
        if onward:
            chosen[scene_id] = max(onward, key=lambda at: ways[at][0])
            promised[scene_id] = ways[chosen[scene_id]][0]
    return chosen


def _ways(scene: Scene, axis: str) -> Iterable[tuple[str, float, float]]:
    """Scene, movement and likelihood of each way on."""
    if not scene.branches:
        return [] if scene.next_scene is None else [(scene.next_scene, 0.0, 1.0)]
    shares = [1 / len(scene.branches)] * len(scene.branches)
    if scene.type == "roll" and len(scene.branches) > 1:
        # Of the faces 1 to 20, those from the difficulty on lead to the first branch.
        reached = min(max(21 - (scene.difficulty or 1), 0), 20) / 20
        shares = [reached, 1 - reached]
    named = zip(scene.branches, shares, strict=False)
    return [(branch.next_scene, _delta(branch, axis), share) for branch, share in named]


def _delta(branch: Branch, axis: str) -> float:
    change = branch.compass_change
    return change.delta if change is not None and change.axis == axis else 0.0


def best_path(scenario: Scenario, axis: str) -> tuple[float, tuple[tuple[str, int], ...]]:
    """The most that a play without repeated scenes can gather, and how: scene and branch of each choice."""
    scenes = {scene.id: scene for scene in scenario.scenes}
    best: dict[str, tuple[float, tuple[tuple[str, int], ...]]] = {}
    for scene_id in _from_the_ends(scenario):
        scene = scenes[scene_id]
        found = [
            (_delta(branch, axis) + best[branch.next_scene][0], ((scene_id, at), *best[branch.next_scene][1]))
            for at, branch in enumerate(scene.branches)
            if branch.next_scene in best
        ]
        if not scene.branches:
            found = [best.get(scene.next_scene or "", (0.0, ()))]
        if found:
            best[scene_id] = max(found, key=lambda each: each[0])
    total, path = best[scenario.first_scene.id]
    return round(total, _DIGITS), path


def _from_the_ends(scenario: Scenario) -> Sequence[str]:
    """Scenes in an order in which every scene comes after those it leads to, as far as there is no loop."""
    scenes = {scene.id: scene for scene in scenario.scenes}
    order: list[str] = []
    seen: set[str] = set()
    stack = [(scenario.first_scene.id, False)]
    while stack:
        scene_id, is_done = stack.pop()
        if is_done:
            order.append(scene_id)
        elif scene_id not in seen:
            seen.add(scene_id)
            stack.append((scene_id, True))
            scene = scenes[scene_id]
            following = [branch.next_scene for branch in scene.branches]
            if not following and scene.next_scene is not None:
                following = [scene.next_scene]
            stack.extend((each, False) for each in following)
    return order


def _propose(age_group: str, axis: str, playable: Sequence[Scenario]) -> Proposal | None:
    moving = [scenario for scenario in playable if axis in axes_of(scenario)]
    most = sum(best_path(scenario, axis)[0] for scenario in moving)
    if round(most, _DIGITS) < _STEP * len(TIERS):
        # Five thresholds that differ would not fit below it.
        return None
    each = [distribution(scenario, axis) for scenario in moving]
    first = sum(_median(one) for one in each) / len(each)
    median = _median(functools.reduce(_sum_of, each))
    playing_well = (distribution(scenario, axis, best_choices(scenario, axis)) for scenario in moving)
    well = _median(functools.reduce(_sum_of, playing_well))
    diamond = min(well, _DIAMOND * most)
    gold = min(max(median, first), diamond)
    # Where there is one story only, its median is both the first goal and the last.
    bronze = min(first, gold / 2) if first > 0 else gold / 4
    marks = [bronze, (bronze + gold) / 2, gold, (gold + diamond) / 2, diamond]
    return Proposal(
        age_group=age_group,
        axis=axis,
        stories=len(moving),
        median=round(median, _DIGITS),
        well=round(well, _DIGITS),
        most=round(most, _DIGITS),
        thresholds=dict(zip(TIERS, _steps(marks), strict=True)),
    )


def _steps(marks: Sequence[float]) -> list[float]:
    """The marks as multiples of a step: each above the one before, and the last no higher than its mark."""
    steps: list[int] = []
    for mark in marks:
        least = steps[-1] + 1 if steps else 1
        steps.append(max(round(mark / _STEP), least))
    # So low a last mark leaves no room for all of them; then it rises, and is still no more than the most.
    highest = max(int(round(marks[-1], _DIGITS) / _STEP + 1e-9), len(marks))
    for at in reversed(range(len(steps))):
        steps[at] = min(steps[at], highest - (len(steps) - 1 - at))
    return [round(step * _STEP, 2) for step in steps]


def _median(sums: Distribution) -> float:
    """The highest sum that at least half of all plays reach."""
    reached = 0.0
    for total in sorted(sums, reverse=True):
        reached += sums[total]
        if reached >= 0.5:
            return total
    return 0.0


def _sum_of(one: Distribution, other: Distribution) -> Distribution:
    both: dict[float, float] = defaultdict(float)
    for total, share in one.items():
        for more, likelihood in other.items():
            both[round(total + more, _DIGITS)] += share * likelihood
    return both
