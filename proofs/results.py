"""What has been found so far, kept part by part, so that a run that was stopped goes on where it was.

A finding holds for the code that it was found with: whatever changes in the sources, it is tried again.
"""

import hashlib
from pathlib import Path
from typing import Final

import msgspec

from proofs.trials import Finding

_ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = _ROOT / "build" / "proof"
_TRIED: Final = ("src", "proofs", "tests")
"""The folders on whose files a finding depends."""


def fingerprint() -> str:
    """Stands for all code that a finding depends on."""
    summed = hashlib.blake2b(digest_size=12)
    for folder in _TRIED:
        for path in sorted((_ROOT / folder).rglob("*.py")):
            summed.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes())
    return summed.hexdigest()


class Results(msgspec.Struct):
    """Findings by trial and part, for one state of the code."""

    code: str
    findings: dict[str, dict[str, Finding]] = {}

    @classmethod
    def load(cls, *, fresh: bool = False) -> "Results":
        """What is known about the code as it is now."""
        code, path = fingerprint(), FOLDER / "results.json"
        if not fresh and path.exists():
            kept = msgspec.json.decode(path.read_bytes(), type=cls)
            if kept.code == code:
                return kept
        return cls(code)

    def keep(self, trial: str, finding: Finding) -> None:
        """Write a finding down before anything else is tried."""
        self.findings.setdefault(trial, {})[finding.part] = finding
        FOLDER.mkdir(parents=True, exist_ok=True)
        path = FOLDER / "results.json"
        beside = path.with_suffix(".new")
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(self)))
        beside.replace(path)

    def found(self, trial: str) -> dict[str, Finding]:
        """What came of a trial's parts so far."""
        return self.findings.get(trial, {})
