"""The file that proves that two stores agreed, and that can be checked again on another day.

A certificate carries the SHA-256 of its own text and of the one before it, so an altered, exchanged or
missing one is noticed.
"""

import datetime as dt
import functools
import hashlib
import json
import os
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

from manystore.errors import CertificateError
from manystore.moves.verify import Basis, RangeProof, Verification
from manystore.placement import Placement, State

FORMAT: Final = 2
"""Raised when digests come to be computed in another way, so that old ones are not taken for changed data."""


class Certificate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was compared, where both logs stood, and what came out."""

    format: int = FORMAT
    kind: str
    truth: str
    copy: str
    phase: str
    epoch: int
    truth_since: int
    basis: Basis
    records: int
    ranges: tuple[RangeProof, ...]
    queued: int
    tool: str
    issued_at: dt.datetime
    previous: str | None
    sha256: str = ""

    @property
    def name(self) -> str:
        """The file's name: kind, epoch and time."""
        return f"{self.kind}-{self.epoch:06}-{self.issued_at:%Y%m%dT%H%M%S.%fZ}.json"

    def sealed(self) -> "Certificate":
        """The same with the digest of everything else filled in."""
        return msgspec.structs.replace(self, sha256=_seal(self))


def _seal(certificate: Certificate) -> str:
    unsealed = msgspec.structs.replace(certificate, sha256="")
    return hashlib.sha256(msgspec.json.encode(unsealed, order="sorted")).hexdigest()


class CertificateFolder:
    """Certificates as files of one folder, chained in the order in which they were issued."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder

    def issue(
        self, placement: Placement, state: State, verification: Verification, *, queued: int, now: dt.datetime
    ) -> Certificate:
        """Write the certificate of a full verification that found both sides to agree.

        Raises CertificateError for a verification that did not.
        """
        if not verification.agrees:
            reason = f"{verification.difference_count} differences were found"
            raise CertificateError(certificate=placement.kind.name, reason=reason)
        last = self.newest(placement.kind.name)
        certificate = Certificate(
            kind=placement.kind.name,
            truth=placement.truth(state).name,
            copy=placement.copy(state).name,
            phase=state.phase.value,
            epoch=state.epoch,
            truth_since=state.truth_since,
            basis=verification.basis,
            records=sum(proof.count for proof in verification.ranges),
            ranges=verification.ranges,
            queued=queued,
            tool=f"manystore {_version()}",
            issued_at=now,
            previous=None if last is None else last.sha256,
        ).sealed()
        self._write(certificate)
        return certificate

    def _write(self, certificate: Certificate) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(msgspec.to_builtins(certificate), indent=2, sort_keys=True) + "\n"
        # Written whole under another name first: a crash leaves no half certificate.
        with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False, encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, self.folder / certificate.name)

    def newest(self, kind: str) -> Certificate | None:
        """The last certificate issued for a kind. Raises CertificateError if it cannot be trusted."""
        names = self._names(kind)
        return self.read(names[-1]) if names else None

    def _names(self, kind: str) -> list[str]:
        return sorted(path.name for path in self.folder.glob(f"{kind}-[0-9]*.json"))

    def _text(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def read(self, name: str) -> Certificate:
        """A certificate by its file's name. Raises CertificateError if it is absent or altered."""
        try:
            certificate = msgspec.json.decode(self._text(name), type=Certificate)
        except OSError as error:
            raise CertificateError(certificate=name, reason="the file cannot be read") from error
        except msgspec.MsgspecError as error:
            raise CertificateError(certificate=name, reason=f"the file is not one: {error}") from error
        if certificate.format != FORMAT:
            reason = f"it is of format {certificate.format}, and this version reads {FORMAT}: verify again"
            raise CertificateError(certificate=name, reason=reason)
        if certificate.sha256 != _seal(certificate):
            raise CertificateError(certificate=name, reason="its text was altered after it was issued")
        return certificate


def still_speaks(certificate: Certificate, placement: Placement, state: State) -> str | None:
    """Why a certificate says nothing about the present state, or None if it does."""
    if certificate.kind != placement.kind.name:
        return f"it is about {certificate.kind}"
    if (certificate.truth, certificate.copy) != (placement.truth(state).name, placement.copy(state).name):
        return f"it compares {certificate.truth} with {certificate.copy}, not the other way round"
    # A drain that was undone, perhaps because its worker died, leaves the stores as they were.
    if certificate.truth_since != state.truth_since or certificate.epoch < state.phase_since:
        return (
            f"it was issued under epoch {certificate.epoch}, and the phase has changed since ({state.epoch})"
        )
    return None


def changed_ranges(certificate: Certificate, verification: Verification) -> list[RangeProof]:
    """The ranges of a certificate whose digests, computed anew on either side, are other ones."""
    return [was for was, now in zip(certificate.ranges, verification.ranges, strict=True) if was != now]


@functools.cache
def _version() -> str:
    try:
        return metadata.version("mystira")
    except metadata.PackageNotFoundError:
        return "unreleased"
