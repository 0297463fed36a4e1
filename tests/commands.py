"""Commands as people type them, each in a process of its own.

Such a process is forked from one that has imported the commands already (Python's own fork server): of most
commands, to import them is nearly all of the work.
"""

import asyncio
import ctypes
import json
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

_WARM: Final = multiprocessing.get_context("forkserver")
_WARM.set_forkserver_preload(["mystira.cli.entry", "mystira.cli.connection", "mystira.cli.refusals"])
_DIE_WITH_PARENT: Final = 1
"""What prctl calls PR_SET_PDEATHSIG."""


class Ended(msgspec.Struct, frozen=True):
    """How a command ended, and what it said."""

    code: int
    output: str
    notes: str

    @property
    def document(self) -> Any:
        """Standard output, which has to be exactly one JSON document."""
        return json.loads(self.output)


async def command(*words: str, folder: Path, seconds: float = 180.0) -> Ended:
    """Run `mystira` for the platform in a data folder, and wait for its end."""
    with tempfile.TemporaryDirectory() as place:
        said = [Path(place) / name for name in ("output", "notes")]
        tokens = (*words, "--data-folder", str(folder))
        process = _WARM.Process(target=_run, args=(tokens, dict(os.environ), str(Path.cwd()), said))
        process.start()
        try:
            await asyncio.to_thread(process.join, seconds)
            if process.exitcode is None:
                raise TimeoutError(f"mystira {' '.join(words)} has not ended after {seconds:.0f} s")
            output, notes = (each.read_text(encoding="utf-8") for each in said)
            return Ended(process.exitcode, output, notes)
        finally:
            process.kill()
            process.join()
            process.close()


def _run(tokens: Sequence[str], environment: Mapping[str, str], folder: str, said: Sequence[Path]) -> None:
    """What a fresh process would do, with its streams in files."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for stream, path in zip((sys.stdout, sys.stderr), said, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream.fileno())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    from mystira.cli.entry import run  # noqa: PLC0415 - the fork server has it, the tests' process need not

    sys.exit(run(tokens))
