"""What benchmarks measure themselves against is installed as it was when the figures were taken."""

import re
from pathlib import Path

import pytest
from benchmarks.peers import HERE

LOCKS = sorted(HERE.glob("*.lock"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_each_peer_is_pinned_with_all_it_needs(lock: Path) -> None:
    """By version and by hash, the peer itself as its own file asks for it."""
    text = lock.read_text(encoding="utf-8")
    pins = re.findall(
        r"^([a-z0-9.-]+==[^ ]+) \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", text, re.MULTILINE
    )
    assert len(pins) == len([line for line in text.splitlines() if not line.startswith("    --hash=")])
    asked = lock.with_suffix(".in").read_text(encoding="utf-8").strip()
    assert re.sub(r"\[.*\]", "", asked) in pins


def test_there_are_peers() -> None:
    """The test above looks at something."""
    assert LOCKS
