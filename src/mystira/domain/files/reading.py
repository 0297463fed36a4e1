"""From bytes to nodes: in which letters, in which language, and what both have that is unusual."""

import re
from pathlib import PurePosixPath
from typing import Final, Literal

import msgspec

from mystira.domain.files.findings import Finding, in_order
from mystira.domain.files.json_reading import read_json
from mystira.domain.files.nodes import MOST_BYTES, Complaints, Node, Source, UnreadableError
from mystira.domain.files.tree import Tree
from mystira.domain.files.yaml_reading import read_yaml

Language = Literal["yaml", "json"]

LANGUAGES: Final[dict[str, Language]] = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}
"""By the end of a file's name."""

_MARK: Final = "\ufeff"
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


class Manuscript(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it was read: its nodes, or None where it could not be; and what was found on the way."""

    source: Source
    root: Node | None
    complaints: Complaints

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far, from the top of the file."""
        return in_order(self.complaints.findings)


def read_manuscript(data: bytes, *, name: str = "", language: Language | None = None) -> Manuscript:
    """The nodes of a file, whatever its bytes are. Raises nothing: what is wrong is among the findings.

    The language follows from `language`, else from the name, else from how the text begins.
    """
    early = Complaints(Source.of("", name))
    text = _decode(data, early)
    # What is no text is shown byte by byte, so that the place of a complaint is one.
    source = Source.of(data[:MOST_BYTES].decode("latin-1") if text is None else text, name)
    complaints = Complaints(source)
    complaints.findings.extend(early.findings)
    root = None
    if text is not None and not _is_forbidden(text, complaints):
        root = _parse(source, complaints, language or LANGUAGES.get(PurePosixPath(name).suffix.lower()))
    return Manuscript(source=source, root=root, complaints=complaints)


def _decode(data: bytes, complaints: Complaints) -> str | None:
    if len(data) > MOST_BYTES:
        complaints.error(
            "too_large", f"The file has {len(data):,} bytes, and at most {MOST_BYTES:,} are taken."
        )
        return None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decode_wide(data, complaints)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        bytewise = Complaints(Source.of(data.decode("latin-1")))
        told = "The file is not UTF-8: there is a byte here that cannot be. Save it as UTF-8."
        bytewise.error("not_utf8", told, at=error.start)
        complaints.findings.extend(bytewise.findings)
        return None
    if text.startswith(_MARK):
        complaints.warning(
            "byte_order_mark", "The file begins with a byte-order mark, which is passed over.", at=0
        )
    if _MARK in text[1:]:
        told = "There are byte-order marks inside the text, which nobody can see; they are taken out."
        complaints.warning("byte_order_mark", told)
    return text.replace(_MARK, "")


def _decode_wide(data: bytes, complaints: Complaints) -> str | None:
    try:
        text = data.decode("utf-16")
    except UnicodeDecodeError:
        complaints.error("not_utf8", "The file is neither UTF-8 nor UTF-16: save it as UTF-8.")
        return None
    complaints.warning("not_utf8", "The file is UTF-16; it is taken, and better saved as UTF-8.")
    return text.replace(_MARK, "")


def _is_forbidden(text: str, complaints: Complaints) -> bool:
    found = _FORBIDDEN.search(text)
    if found is None:
        return False
    told = f"There is a character here that no text has (U+{ord(found.group()):04X}): remove it."
    complaints.error("control_character", told, at=found.start())
    return True


def _parse(source: Source, complaints: Complaints, language: Language | None) -> Node | None:
    """The root, or None and an error. JSON in a file called YAML is almost YAML: so both are tried."""
    text = source.text.lstrip()
    if not text:
        complaints.error("empty", "The file is empty.")
        return None
    refused: UnreadableError | None = None
    before: list[Finding] = []
    readers = [read_json] if language == "json" else [read_yaml]
    if language != "json" and text[0] in "{[":
        readers.insert(0, read_json)
    for read in readers:
        trial = Complaints(source)
        try:
            tree: Tree = read(source, trial)
        except UnreadableError as error:
            if refused is None:
                refused, before = error, trial.findings
            continue
        complaints.findings.extend(trial.findings)
        if tree.root is None:
            complaints.error("empty", "There is nothing in the file but comments.")
        return tree.root
    assert refused is not None, "each reader either read or refused"
    complaints.findings.extend(before)
    complaints.error(refused.code, refused.message, at=refused.at)
    return None
