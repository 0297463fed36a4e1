"""Commands as people type them, each in a process of its own."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msgspec


class Ended(msgspec.Struct, frozen=True):
    """How a command ended, and what it said."""

    code: int
    output: str
    notes: str

    @property
    def document(self) -> Any:
        """Standard output, which has to be exactly one JSON document."""
        return json.loads(self.output)


async def command(*words: str, folder: Path, seconds: float = 60.0) -> Ended:
    """Run `mystira` for the platform in a data folder, and wait for its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mystira", *words, "--data-folder", str(folder)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            output, notes = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    return Ended(process.returncode or 0, output.decode(), notes.decode())
