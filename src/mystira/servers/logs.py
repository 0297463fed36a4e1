"""What servers and services say, kept in files of bounded size.

A thread reads each process's output, not a task: servers must be able to write, or they stand still, also
while the event loop is busy or not running at all (between two tests, say).
"""

import contextlib
import itertools
import os
import threading
from pathlib import Path
from typing import Final

LIMIT: Final = 5 * 1024 * 1024
"""Bytes after which a file is put aside as `.1` and a new one begun."""

KEPT: Final = 3
"""How many files that were put aside are kept."""


class Log:
    """One file, written by one process at a time, that is turned over when it has grown to the limit."""

    def __init__(self, path: Path, *, limit: int = LIMIT, kept: int = KEPT) -> None:
        self.path = path
        self._limit, self._kept = limit, kept
        self._reader: threading.Thread | None = None

    def open_pipe(self) -> int:
        """A descriptor to write to; the log ends when its last copy is closed. The caller closes its own."""
        reading, writing = os.pipe()
        # A daemon: a process that outlives its stop must not hold the interpreter's end up.
        self._reader = threading.Thread(target=self._copy, args=(reading,), name=self.path.name, daemon=True)
        self._reader.start()
        return writing

    def wait_closed(self, seconds: float) -> None:
        """Wait until everything that was said is in the file, at most so long."""
        if self._reader is not None:
            self._reader.join(seconds)

    def last_words(self, lines: int = 3) -> str:
        """The last lines that were said, for an error's message."""
        try:
            said = self.path.read_bytes()[-4096:].decode(errors="replace").splitlines()
        except FileNotFoundError:
            said = []
        return " / ".join(line.strip() for line in said[-lines:] if line.strip()) or "it said nothing"

    def _copy(self, reading: int) -> None:
        with open(reading, "rb", buffering=0) as pipe:
            while said := pipe.read(65536):
                # A full disk must not stop the server that speaks: its words are dropped, and it goes on.
                with contextlib.suppress(OSError):
                    self.write(said)

    def write(self, said: bytes) -> None:
        """Add to the file, turning it over first if it would grow past the limit."""
        if self.path.exists() and self.path.stat().st_size + len(said) > self._limit:
            self._turn_over()
        with self.path.open("ab", buffering=0) as file:
            file.write(said)

    def _turn_over(self) -> None:
        aside = [self.path, *(self.path.with_name(f"{self.path.name}.{n + 1}") for n in range(self._kept))]
        for newer, older in reversed(list(itertools.pairwise(aside))):
            if newer.exists():
                newer.replace(older)
