"""Programs that others wrote, to be measured beside ours: pinned by hashes, installed where they are used.

They are no dependencies of the project's: nothing here needs them, and no environment but theirs has them.
"""

import shutil
import sys
from pathlib import Path
from typing import Final

from benchmarks.databases import run
from benchmarks.results import ROOT

HERE: Final = Path(__file__).parent
INSTALLED: Final = ROOT / "build" / "benchmarks" / "peers"


async def installed(name: str) -> Path:
    """The interpreter of the environment that a peer has for itself, made where its lock has changed.

    Raises RuntimeError where it cannot be installed.
    """
    lock, folder = HERE / f"{name}.lock", INSTALLED / name
    python, mark = folder / "bin" / "python", folder / "installed"
    if mark.exists() and mark.read_bytes() == lock.read_bytes():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    INSTALLED.mkdir(parents=True, exist_ok=True)
    uv, log = str(Path(sys.executable).with_name("uv")), INSTALLED / f"{name}.log"
    await run("uv", uv, "venv", "--quiet", "--python", sys.executable, str(folder), log=log)
    words = ("pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(lock))
    await run("uv", uv, *words, log=log)
    mark.write_bytes(lock.read_bytes())
    return python
