"""Fuzzing for a moment: each target holds, each planted fault is found in both ways, and can be met again."""

from pathlib import Path

import pytest
from proofs.fuzzing import hunts, trial
from proofs.fuzzing.hunts import HAS_ATHERIS, NO_ATHERIS, TARGETS, Hunt, guide, search, try_again
from proofs.fuzzing.questions import FORMER_QUESTIONS, PRODUCTS

QUICK = [name for name, target in TARGETS.items() if target not in (PRODUCTS, FORMER_QUESTIONS)]
"""Those that need no server."""
PLANTED = [(name, fault) for name in QUICK for fault in TARGETS[name].faults]
LONG = {"SQLite: instants are compared by the millisecond"}
"""Takes atheris longer than a moment; the long run plants it for both."""
EXECUTIONS = 100
ROOM = 2_000
"""Values within which a planted fault is found; most are among the first few."""

guided = pytest.mark.skipif(not HAS_ATHERIS, reason=NO_ATHERIS)


@pytest.mark.parametrize("name", QUICK)
def test_nothing_is_found_by_hypothesis(name: str) -> None:
    """What the long run tries for long holds for the first values, which are always the same."""
    hunt = search(TARGETS[name], executions=EXECUTIONS, number=1, is_kept=False)
    assert not hunt.story, hunt.story
    assert hunt.executions >= EXECUTIONS // TARGETS[name].weight // 2


@pytest.mark.parametrize(("name", "fault"), PLANTED)
def test_planted_fault_is_found_by_hypothesis(name: str, fault: str) -> None:
    """A target that is broken on purpose does not hold, so that nothing found means something."""
    assert trial.search_planted(name, fault, ROOM).crashes == 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where inputs are kept."""
    return tmp_path_factory.mktemp("fuzzing")


@pytest.fixture(scope="module")
def hunted(folder: Path) -> dict[tuple[str, str], Hunt]:
    """What atheris says of each target, and of each fault planted in it; one process for all."""
    asked = [(name, "", EXECUTIONS) for name in QUICK]
    asked += [(name, fault, ROOM) for name, fault in PLANTED if fault not in LONG]
    found = guide(asked, seconds=600, number=1, folder=folder)
    return {(name, fault): hunt for (name, fault, _), hunt in zip(asked, found, strict=True)}


@guided
@pytest.mark.parametrize("name", QUICK)
def test_nothing_is_found_by_coverage(hunted: dict[tuple[str, str], Hunt], name: str) -> None:
    """Guided by coverage neither; and branches of the engine were counted, so that something guides."""
    hunt = hunted[name, ""]
    assert not hunt.story, hunt.story
    assert hunt.executions >= EXECUTIONS // TARGETS[name].weight
    assert hunt.edges > 10
    assert hunt.kept > 1


@guided
@pytest.mark.parametrize(("name", "fault"), [pair for pair in PLANTED if pair[1] not in LONG])
def test_planted_fault_is_found_by_coverage(
    hunted: dict[tuple[str, str], Hunt], name: str, fault: str
) -> None:
    """The fault is found, and the bytes that atheris kept break the target again, but only with the fault."""
    hunt = hunted[name, fault]
    assert hunt.crashes == 1
    with TARGETS[name].faults[fault]():
        assert try_again(TARGETS[name], hunt.broken)
    assert not try_again(TARGETS[name], hunt.broken)


@guided
def test_what_reached_something_new_is_kept(hunted: dict[tuple[str, str], Hunt], folder: Path) -> None:
    """The next run begins with these inputs; nothing is kept of a target that was broken on purpose."""
    kept = {path.name: len(list(path.iterdir())) for path in (folder / "inputs").iterdir() if path.is_dir()}
    assert kept.keys() == {name.replace(" ", "-") for name in QUICK}
    assert kept["keys"] > len(TARGETS["keys"].seeds) + hunted["keys", ""].kept // 2
    assert not list((folder / "broken" / "keys").iterdir())


def test_a_process_that_ends_without_a_word_is_no_success(tmp_path: Path) -> None:
    """Only a log that says how many were tried, and names no input that broke something, is good news."""
    asked = hunts._asked(TARGETS["keys"], "", tmp_path, executions=10, seconds=10, number=1)
    Path(asked.log).write_text("#2\tINITED cov: 12 ft: 13 corp: 1/1b\n")
    assert hunts._hunted(asked).story
    slow = "Slowest unit: 12 s:\nTest unit written to broken/keys/slow-unit-1f\n"
    done = "#9\tDONE   cov: 12 ft: 13 corp: 3/9b\nDone 9 runs in 1 second(s)\n"
    Path(asked.log).write_text(slow + done)
    assert hunts._hunted(asked) == Hunt(executions=9, edges=12, kept=3)


def test_without_atheris_the_trial_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be tried does not count as held."""
    monkeypatch.setattr(trial, "HAS_ATHERIS", False)
    outcome = trial.TRIAL.parts["keys, guided by coverage"]()
    assert (outcome.holds, outcome.story) == (False, NO_ATHERIS)
    planted = trial.TRIAL.parts["keys, planted faults"]()
    assert not planted.holds
    assert NO_ATHERIS in planted.story


def test_each_target_is_tried_in_every_way() -> None:
    """The long run leaves out none."""
    ways = ("by Hypothesis", "guided by coverage", "planted faults")
    assert set(trial.TRIAL.parts) == {f"{name}, {way}" for name in TARGETS for way in ways}
