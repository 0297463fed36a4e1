"""Reads zip files that somebody sent, and trusts nothing that they say of themselves.

A bundle holds `scenarios/` with stories, `media/` with pictures, sounds and films, and perhaps a manifest
`bundle.yaml`. What leads out of the bundle, is a link, is encrypted, or grows beyond measure when it is
unpacked refuses the whole; sizes are counted while unpacking, whatever the directory of the zip claims.
"""

import hashlib
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, Literal, Self

import msgspec

from mystira.domain.files.findings import Finding, Severity
from mystira.domain.files.nodes import MOST_BYTES as MOST_TEXT
from mystira.domain.files.reading import LANGUAGES
from mystira.domain.media.sniffing import HEAD
from mystira.domain.media.sniffing import MOST_BYTES as MOST_MEDIA
from mystira.domain.media.use_cases import Bytes

Sort = Literal["manifest", "scenario", "media", "other"]

MOST_COMPRESSED: Final = 512 * 1024 * 1024
MOST_EXPANDED: Final = 1024 * 1024 * 1024
MOST_ITEMS: Final = 2000
MOST_RATIO: Final = 200
"""How many times its size an item may grow, where it is larger than a megabyte. Stories grow tenfold."""

MANIFESTS: Final = ("bundle.yaml", "bundle.yml", "bundle.json")

_CHUNK: Final = 1024 * 1024
_MOST_DIRECTORY: Final = MOST_ITEMS * 1024
_END: Final = re.compile(rb"PK\x05\x06")
_LOCATOR_64: Final = b"PK\x06\x07"
_TAIL: Final = 22 + 65_535 + 20
"""Bytes at the end of a zip within which its directory is named: the end record, a comment, a locator."""
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED: Final = 0x1
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    KeyError,
    IndexError,
)
"""All that the library raises for files that only look like zips."""


class ArchiveError(Exception):
    """The file cannot be taken as a bundle: {message}."""

    def __init__(self, code: str, message: str, item: str = "") -> None:
        self.code, self.message, self.item = code, message, item
        super().__init__(message)

    @property
    def finding(self) -> Finding:
        """The error as a finding."""
        severity: Severity = "error"
        return Finding(severity=severity, code=self.code, message=self.message, path=self.item)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a bundle: its whole name, what it is by where it lies, and the size that the zip claims."""

    name: str
    sort: Sort
    size: int

    @property
    def inner(self) -> str:
        """Its name below the folder of its sort."""
        return self.name.partition("/")[2] or self.name


class Archive:
    """A bundle, open for reading. Methods block, and raise ArchiveError."""

    def __init__(self, zipped: zipfile.ZipFile, infos: Mapping[str, zipfile.ZipInfo]) -> None:
        self._zipped, self._infos = zipped, infos
        self._expanded = 0
        self.items: Final = [
            Item(name=name, sort=_sort(name), size=info.file_size) for name, info in sorted(infos.items())
        ]

    @classmethod
    def open(cls, path: Path) -> Self:
        """The bundle in a file, once its directory was found to be in order."""
        try:
            _check_directory(path)
            zipped = zipfile.ZipFile(path)
        except _BROKEN as error:
            raise ArchiveError(
                "not_a_zip", f"The file is no zip that can be read ({_brief(error)})."
            ) from error
        try:
            return cls(zipped, _checked(zipped))
        except BaseException:
            zipped.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._zipped.close()

    def read(self, item: Item, most: int = MOST_TEXT) -> bytes:
        """A small item whole, and at most one byte more than `most`, which its reader then refuses."""
        parts, size = [], 0
        for chunk in self._chunks(item):
            parts.append(chunk)
            size += len(chunk)
            if size > most:
                break
        return b"".join(parts)[: most + 1]

    def extract(self, item: Item, to: Path) -> Bytes:
        """An item of any size, in a file of its own."""
        digest, size, head = hashlib.sha256(), 0, b""
        most = max(MOST_MEDIA.values())
        with to.open("wb") as file:
            for chunk in self._chunks(item):
                size += len(chunk)
                if size > most:
                    raise ArchiveError("too_large", f"{item.name} has more than {most:,} bytes.", item.name)
                if len(head) < HEAD:
                    head = (head + chunk)[:HEAD]
                digest.update(chunk)
                file.write(chunk)
        return Bytes(data=to, head=head, size=size, sha256=digest.hexdigest())

    def _chunks(self, item: Item) -> Iterator[bytes]:
        info, size = self._infos[item.name], 0
        try:
            with self._zipped.open(info) as member:
                while chunk := member.read(_CHUNK):
                    size += len(chunk)
                    self._expanded += len(chunk)
                    if self._expanded > MOST_EXPANDED or _grows(info.compress_size, size):
                        raise ArchiveError("too_large", f"{item.name} grows beyond measure.", item.name)
                    yield chunk
        except _BROKEN as error:
            message = f"{item.name} cannot be unpacked ({_brief(error)})."
            raise ArchiveError("not_a_zip", message, item.name) from error


def _check_directory(path: Path) -> None:
    """Refuse a directory that is too large before the library reads all of it into memory."""
    size = path.stat().st_size
    if size > MOST_COMPRESSED:
        raise ArchiveError("too_large", f"The bundle has {size:,} bytes, and at most {MOST_COMPRESSED:,}.")
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    if _LOCATOR_64 in tail:
        raise ArchiveError("not_a_zip", "The file is a zip of the large form (zip64), which no bundle needs.")
    for found in _END.finditer(tail):
        if int.from_bytes(tail[found.start() + 12 : found.start() + 16], "little") > _MOST_DIRECTORY:
            raise ArchiveError("too_many", f"The bundle has more than {MOST_ITEMS:,} items.")


def _checked(zipped: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = zipped.infolist()
    if len(infos) > MOST_ITEMS:
        raise ArchiveError("too_many", f"The bundle has {len(infos):,} items, and at most {MOST_ITEMS:,}.")
    if sum(info.file_size for info in infos) > MOST_EXPANDED:
        raise ArchiveError("too_large", f"Unpacked, the bundle has more than {MOST_EXPANDED:,} bytes.")
    found: dict[str, zipfile.ZipInfo] = {}
    folded: set[str] = set()
    for info in infos:
        _check(info)
        if info.is_dir():
            continue
        # Some machines tell no capitals from small letters, and would unpack one over the other.
        if info.filename.casefold() in folded:
            raise ArchiveError("duplicate", f"{info.filename[:200]!r} is in the bundle twice.", info.filename)
        folded.add(info.filename.casefold())
        found[info.filename] = info
    return found


def _check(info: zipfile.ZipInfo) -> None:
    name = info.filename
    path = PurePosixPath(name)
    mode = info.external_attr >> 16
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in info.orig_filename
        or ":" in path.parts[0:1]
        or name != info.orig_filename
        or any(ord(letter) < 32 for letter in name)
        or not path.parts
        or len(name) > 500
        or (len(path.parts[0]) > 1 and path.parts[0][1] == ":")
    ):
        raise ArchiveError(
            "path_escape", f"The name {name[:200]!r} could lead out of the bundle.", name[:200]
        )
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError("link", f"{name!r} is no file: links and devices are not taken.", name)
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveError("encrypted", f"{name!r} is encrypted: send it in the clear.", name)
    if info.compress_type not in _METHODS:
        raise ArchiveError(
            "not_a_zip", f"{name!r} is packed by a method that is not taken: use deflate.", name
        )
    if _grows(info.compress_size, info.file_size):
        raise ArchiveError("too_large", f"{name!r} would grow beyond measure when it is unpacked.", name)


def _grows(compressed: int, expanded: int) -> bool:
    return expanded > _CHUNK and expanded > MOST_RATIO * max(compressed, 1)


def _sort(name: str) -> Sort:
    path = PurePosixPath(name)
    if name in MANIFESTS:
        return "manifest"
    if any(part.startswith(".") or part == "__MACOSX" for part in path.parts):
        return "other"
    if path.parts[0] == "scenarios" and path.suffix.lower() in LANGUAGES:
        return "scenario"
    return "media" if path.parts[0] == "media" and len(path.parts) > 1 else "other"


def _brief(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:200]
