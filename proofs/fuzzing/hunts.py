"""Trying one target for a while, by Hypothesis or by atheris; and again, by the bytes that broke it."""

import importlib.util
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from proofs.fuzzing.documents import DOCUMENTS
from proofs.fuzzing.questions import ASKED
from proofs.fuzzing.targets import Check, Target
from proofs.fuzzing.texts import TEXTS
from proofs.results import FOLDER

TARGETS: Final = {target.name: target for target in (*TEXTS, *DOCUMENTS, *ASKED)}
KEPT: Final = FOLDER / "fuzzing"
"""Inputs that reached something new, and those that broke something; the next run begins with them."""
HAS_ATHERIS: Final = importlib.util.find_spec("atheris") is not None
NO_ATHERIS: Final = (
    "not tried: atheris has no build for this Python or machine (see docs/explanation/fuzzing.md)"
)

_ROOT: Final = Path(__file__).parents[2]
_EXAMPLES: Final = "examples"
_TOLD: Final = 4_000
"""Letters of what atheris prints that are worth telling."""
_DICE: Final = 60
"""Inputs to begin with, of random bytes, where values are drawn from bytes."""
_DICE_SIZE: Final = 3_000


class Hunt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `edges` and `kept` (inputs that reached something new) are known of atheris alone.

    `story` is empty where nothing broke; else `broken` are the bytes that did it, if it was atheris.
    """

    executions: int
    edges: int = 0
    kept: int = 0
    story: str = ""
    broken: bytes = b""

    @property
    def crashes(self) -> int:
        """Of the first, a hunt ends."""
        return int(bool(self.story))


def _name_of(target: Target) -> str:
    return target.name.replace(" ", "-")


def property_of(target: Target, check: Check, folder: Path | None, **more: Any) -> Callable[[], None]:
    """The statement about the target as Hypothesis runs it; what breaks it is kept in the folder, if any."""

    @settings(
        database=None
        if folder is None
        else DirectoryBasedExampleDatabase(folder / _EXAMPLES / _name_of(target)),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        **more,
    )
    @given(target.values())
    def holds(value: Any) -> None:
        check(value)

    return holds


def search(
    target: Target,
    *,
    executions: int,
    number: int,
    phases: Sequence[Phase] = (Phase.reuse, Phase.generate, Phase.target, Phase.shrink),
    is_kept: bool = True,
) -> Hunt:
    """Let Hypothesis try so many values, divided by the target's weight; the same `number` tries the same."""
    tried, folder = 0, KEPT if is_kept else None
    with target.opened() as check:

        def counted(value: Any) -> None:
            nonlocal tried
            tried += 1
            check(value)

        tries = property_of(
            target, counted, folder, max_examples=max(executions // target.weight, 1), phases=tuple(phases)
        )
        story = _broken_by(seed(number)(tries))
    if story:
        story += f"\nOnce more: python -m proofs.fuzzing '{target.name}'"
    return Hunt(executions=tried, story=story)


def try_again(target: Target, raw: bytes, folder: Path = KEPT) -> str:
    """Try what the bytes stand for; what breaks, or nothing."""
    with target.opened() as check:
        return _broken_by(lambda: reading(target, check, folder)(raw))


def reading(target: Target, check: Check, folder: Path) -> Callable[[bytes], Any]:
    """The target as something that takes bytes, as a fuzzer of bytes wants it."""
    read = target.read
    if read is not None:
        return lambda raw: check(read(raw))
    tries: Any = property_of(target, check, folder)
    draw: Callable[[bytes], Any] = tries.hypothesis.fuzz_one_input
    return draw


def _broken_by(tries: Callable[[], Any]) -> str:
    try:
        tries()
    except Exception as error:  # noqa: BLE001 - whatever escapes is what was looked for
        return "".join(traceback.format_exception(error, limit=-6, chain=False)).strip()
    return ""


# -- guided by coverage --------------------------------------------------------------------------------


class Guided(msgspec.Struct, frozen=True, kw_only=True):
    """What a process with atheris is to do: one target, until it broke or was tried enough."""

    target: str
    executions: int
    seconds: int
    number: int
    inputs: str
    broken: str
    log: str
    examples: str
    fault: str = ""


def guide(
    hunts: Sequence[tuple[str, str, int]], *, seconds: int, number: int, folder: Path = KEPT
) -> list[Hunt]:
    """Let atheris try targets, one after the other, each with a planted fault or with none ("").

    Each ends after so many executions (divided by its weight), seconds, or the first that breaks. Without a
    fault, inputs that reached something new stay in the folder; with one, nothing does.
    """
    with tempfile.TemporaryDirectory() as scratch:
        asked = [
            _asked(
                TARGETS[name],
                fault,
                Path(scratch) / str(at) if fault else folder,
                executions=max(executions // TARGETS[name].weight, 1),
                seconds=seconds,
                number=number,
            )
            for at, (name, fault, executions) in enumerate(hunts)
        ]
        command = ["setpriv", "--pdeathsig=KILL", sys.executable, "-m", "proofs.fuzzing.guided"]
        ran = subprocess.run(  # noqa: S603 - this very interpreter, with words of ours
            command, input=msgspec.json.encode(asked), cwd=_ROOT, capture_output=True, check=False
        )
        if ran.returncode:
            raise RuntimeError(f"the process with atheris ended: {ran.stderr.decode(errors='replace')}")
        return [_hunted(each) for each in asked]


def _asked(target: Target, fault: str, folder: Path, *, executions: int, seconds: int, number: int) -> Guided:
    inputs, broken, logs = (folder / room / _name_of(target) for room in ("inputs", "broken", "logs"))
    for each in (inputs, broken, logs):
        each.mkdir(parents=True, exist_ok=True)
    _begin(target, inputs, Random(number))  # noqa: S311 - inputs are no secrets
    log = logs / "log.txt"
    log.unlink(missing_ok=True)
    return Guided(
        target=target.name,
        executions=executions,
        seconds=seconds,
        number=number,
        inputs=str(inputs),
        broken=str(broken),
        log=str(log),
        examples=str(folder),
        fault=fault,
    )


def _begin(target: Target, inputs: Path, random: Random) -> None:
    seeds = target.seeds or [random.randbytes(_DICE_SIZE) for _ in range(_DICE)]
    for at, raw in enumerate(seeds):
        (inputs / f"seed-{at}").write_bytes(raw)
    if target.words:
        spelled = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words if word)
        words = "\n".join(f'"{word}"' for word in spelled)
        inputs.with_name(f"{inputs.name}.words").write_text(words + "\n")


def _hunted(asked: Guided) -> Hunt:
    told = Path(asked.log).read_text(errors="replace")
    # A slow one is written as well, and on a busy machine any is slow.
    files = re.findall(r"Test unit written to (\S+/(?:crash|timeout|oom|leak)-\w+)", told)
    return Hunt(
        executions=_last(r"^stat::number_of_executed_units: (\d+)|^#(\d+)\s", told),
        edges=_last(r"\bcov: (\d+)", told),
        kept=_last(r"\bcorp: (\d+)/", told),
        story=_story(asked, told, files),
        broken=Path(files[-1]).read_bytes() if files else b"",
    )


def _last(number: str, told: str) -> int:
    found = [match.group(match.lastindex or 0) for match in re.finditer(number, told, re.MULTILINE)]
    return int(found[-1]) if found else 0


def _story(asked: Guided, told: str, files: Sequence[str]) -> str:
    if re.search(r"^Done \d+ runs", told, re.MULTILINE) and not files:
        return ""
    at = max(told.find("=== Uncaught Python exception"), 0)
    story = told[at : at + _TOLD].strip() or "The process ended without a word."
    if files and not asked.fault:
        story += f"\nOnce more: python -m proofs.fuzzing '{asked.target}' {files[-1]}"
    return story
