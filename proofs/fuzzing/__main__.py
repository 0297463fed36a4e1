"""`python -m proofs.fuzzing TARGET [FILE]`: once more what broke a target. Ends with 1 if it still does."""

import argparse
import sys
from pathlib import Path

from hypothesis import Phase

from proofs.fuzzing.hunts import TARGETS, search, try_again


def main() -> int:
    """0 where it holds now."""
    parser = argparse.ArgumentParser(prog="python -m proofs.fuzzing", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("file", nargs="?", type=Path, help="bytes that atheris kept")
    asked = parser.parse_args()
    target = TARGETS[asked.target]
    if asked.file is None:
        # What was found before, by either way, is tried again and made as small as it goes.
        story = search(target, executions=100, number=0, phases=(Phase.reuse, Phase.shrink)).story
    else:
        story = try_again(target, asked.file.read_bytes())
    print(story or f"{target.name}: it holds.")
    return int(bool(story))


if __name__ == "__main__":
    sys.exit(main())
