"""The process in which atheris tries targets: the engine is loaded with a note of each branch that is taken.

`python -m proofs.fuzzing.guided`, with a list of `hunts.Guided` on the standard input. Each target is tried
in a process forked from this one, because libFuzzer ends the process in which it finds something, or is done.
"""

import ctypes
import importlib.util
import os
import re
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import atheris
import msgspec

_WATCHED = re.compile(
    r"manystore\.(records|instants|former|paging|specifications"
    r"|stores\.postgres\.(codec|columns|parts|values|finding|places)"
    r"|stores\.sqlite\.(queries|rows|pointers)"
    r"|stores\.cosmos\.(queries|items|ids))"
)
"""Where values are read and written: branches elsewhere say nothing of a value, and noting them is slow."""


def _others() -> list[str]:
    """The modules of the engine whose branches are not noted; nothing is imported to know them."""
    found = importlib.util.find_spec("manystore")
    assert found is not None
    assert found.origin is not None
    room = Path(found.origin).parent
    names = (".".join(path.relative_to(room.parent).with_suffix("").parts) for path in room.rglob("*.py"))
    modules = (name.removesuffix(".__init__") for name in names)
    return [module for module in modules if not _WATCHED.fullmatch(module)]


with atheris.instrument_imports(include=["manystore"], exclude=_others()):
    from proofs.fuzzing import hunts

if TYPE_CHECKING:
    from proofs.fuzzing.hunts import Guided
    from proofs.fuzzing.targets import Check, Target

_PR_SET_PDEATHSIG = 1
_LARGEST = 8_192
"""Bytes of an input."""
_MEMORY = 3_072
"""Megabytes, beyond which an input counts as one that breaks something."""
_SECONDS_A_VALUE = 300
"""After which a value counts as one that has no end; on a busy machine some take ten."""


def main() -> None:
    """Try each target, and wait for its end."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=list[hunts.Guided])
    for each in asked:
        target = hunts.TARGETS[each.target]
        with ExitStack() as stack:
            if each.fault:
                stack.enter_context(target.faults[each.fault]())
            # Servers belong to this process, which outlives libFuzzer's end.
            check = stack.enter_context(target.opened())
            child = os.fork()
            if child == 0:
                _hunt(each, target, check)
            os.waitpid(child, 0)


def _hunt(asked: "Guided", target: "Target", check: "Check") -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    log = os.open(asked.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    arguments = [
        "guided",
        f"-runs={asked.executions}",
        f"-max_total_time={asked.seconds}",
        f"-seed={asked.number}",
        f"-max_len={_LARGEST}",
        "-len_control=0",
        f"-rss_limit_mb={_MEMORY}",
        f"-timeout={_SECONDS_A_VALUE}",
        f"-artifact_prefix={asked.broken}/",
        "-print_final_stats=1",
        "-verbosity=1",
    ]
    if target.words:
        arguments.append(f"-dict={asked.inputs}.words")
    atheris.Setup([*arguments, asked.inputs], hunts.reading(target, check, Path(asked.examples)))
    atheris.Fuzz()
    # libFuzzer ends the process itself; this one must never go on as if it were its parent.
    os._exit(0)


if __name__ == "__main__":
    main()
