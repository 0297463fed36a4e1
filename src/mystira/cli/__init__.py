"""The commands that people type; one file a noun.

    mystira up                    start a platform, and keep it up
    mystira status                where every kind stands
    mystira move start accounts   take a step of a move

What a command answers goes to standard output: text for a person, or with `--json` exactly one JSON
document (for `up`, one a line). Progress and complaints go to standard error. How it ended is told by the
exit code (exits.py).
"""

import sys

from mystira.cli.entry import run


def main() -> None:
    """Run the command of this process's arguments, and end the process."""
    sys.exit(run(sys.argv[1:]))
