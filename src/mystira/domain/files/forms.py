"""What a value in a file must be, declared: a form reads a node, and tells of whatever does not fit.

Broken is what cannot be taken; unusual is what can, and is told of as a warning: a number in quotes, a key
in another spelling, one value where a list is asked for. A form gives UNSET for what it could not take, and
goes on, so that one reading finds everything.
"""

import math
import re
from typing import Any, Final, Protocol

from msgspec import UNSET, Struct, UnsetType

from mystira.domain.files.findings import Path, Severity, spell
from mystira.domain.files.nodes import Complaints, Node, ScalarNode, SequenceNode, Value, squeezed
from mystira.domain.files.yaml_reading import resolve

_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_YES: Final = {**dict.fromkeys(("yes", "y", "on"), True), **dict.fromkeys(("no", "n", "off"), False)}


class Form(Protocol):
    """What a value must be."""

    @property
    def expected(self) -> str:
        """What it must be, as a phrase for complaints."""

    def read(self, node: Node, path: Path, told: Complaints) -> Any:
        """The value, or UNSET where it cannot be taken, which has been told of then."""


class Text(Struct, frozen=True, kw_only=True):
    """Text, without white space around it.

    `least` and `most` count characters. What does not match the `pattern` is told of with `otherwise`. Where
    `any_scalar` will do, a number is no oddity.
    """

    least: int = 0
    most: int = 100_000
    pattern: re.Pattern[str] | None = None
    pattern_words: str = ""
    otherwise: Severity = "error"
    any_scalar: bool = False

    @property
    def expected(self) -> str:
        """See Form."""
        return self.pattern_words or "text"

    def read(self, node: Node, path: Path, told: Complaints) -> str | UnsetType:
        """See Form."""
        if not isinstance(node, ScalarNode):
            return wrong_type(self, node, path, told)
        if not isinstance(node.value, str) and node.value is not None and not self.any_scalar:
            message = (
                f"{spell(path)} is text, and {node.text[:60]} is none without quotes: it is taken as text."
            )
            told.warning("not_in_quotes", message, path, node.at)
        text = node.text if node.value is not None else ""
        text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
        if found := _CONTROL.search(text):
            message = (
                f"{spell(path)} holds a character that no text has (U+{ord(found.group()):04X}): remove it."
            )
            told.error("control_character", message, path, node.at)
            return UNSET
        return text if self._fits(text, node, path, told) else UNSET

    def _fits(self, text: str, node: ScalarNode, path: Path, told: Complaints) -> bool:
        if len(text) < self.least:
            told.error("empty", f"{spell(path)} is empty: write {self.expected}.", path, node.at)
            return False
        if len(text) > self.most:
            message = f"{spell(path)} has {len(text):,} characters: at most {self.most:,} are taken."
            told.error("too_long", message, path, node.at)
            return False
        if self.pattern is None or self.pattern.fullmatch(text):
            return True
        message = f"{spell(path)} is {text[:60]!r}, and should be {self.expected}."
        if self.otherwise == "error":
            told.error("wrong_form", message, path, node.at)
            return False
        told.warning("wrong_form", message, path, node.at)
        return True


class OneOf(Struct, frozen=True, kw_only=True):
    """One of some words; another spelling of one is taken for it.

    A word that is none of them is told of with `otherwise`, and kept as it stands where that is a warning.
    """

    words: tuple[str, ...]
    otherwise: Severity = "error"

    @property
    def expected(self) -> str:
        """See Form."""
        return "one of " + ", ".join(self.words)

    def read(self, node: Node, path: Path, told: Complaints) -> str | UnsetType:
        """See Form."""
        if not isinstance(node, ScalarNode) or not node.text.strip():
            return wrong_type(self, node, path, told)
        text = node.text.strip()
        if text in self.words:
            return text
        for word in self.words:
            if squeezed(word) == squeezed(text):
                told.warning("spelling", f"{spell(path)} is {text!r}, and is taken as {word}.", path, node.at)
                return word
        message = f"{spell(path)} is {text[:60]!r}, and should be {self.expected}."
        if self.otherwise == "error" or len(text) > 200 or _CONTROL.search(text):
            told.error("unknown_word", message, path, node.at)
            return UNSET
        told.warning("unknown_word", message, path, node.at)
        return text


class Number(Struct, frozen=True, kw_only=True):
    """A number, whole where `whole`; one outside its bounds is told of with `otherwise`."""

    least: float | None = None
    most: float | None = None
    whole: bool = False
    otherwise: Severity = "error"

    @property
    def expected(self) -> str:
        """See Form."""
        kind = "a whole number" if self.whole else "a number"
        if self.least is not None and self.most is not None:
            return f"{kind} from {self.least:g} to {self.most:g}"
        return kind if self.least is None else f"{kind} of at least {self.least:g}"

    def read(self, node: Node, path: Path, told: Complaints) -> float | int | UnsetType:
        """See Form."""
        number = _number(node)
        if number is None or (self.whole and number != int(number)):
            return wrong_type(self, node, path, told)
        assert isinstance(node, ScalarNode), "only scalars are numbers"
        if isinstance(node.value, str):
            message = f"{spell(path)} is a number in quotes, and is taken as the number {number:g}."
            told.warning("number_as_text", message, path, node.at)
        if (self.least is not None and number < self.least) or (self.most is not None and number > self.most):
            message = f"{spell(path)} is {node.text[:60]}, and must be {self.expected}."
            if self.otherwise == "error":
                told.error("out_of_range", message, path, node.at)
                return UNSET
            told.warning("out_of_range", message, path, node.at)
        return int(number) if self.whole else number


def _number(node: Node) -> float | int | None:
    value: Value = node.value if isinstance(node, ScalarNode) else None
    if isinstance(value, str):
        value = resolve(value.strip())
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Nothing in a file is counted in numbers of thirty digits, and not every store could hold them.
    return value if math.isfinite(value) and abs(value) < 1e15 else None


class Flag(Struct, frozen=True, kw_only=True):
    """True or false."""

    @property
    def expected(self) -> str:
        """See Form."""
        return "true or false"

    def read(self, node: Node, path: Path, told: Complaints) -> bool | UnsetType:
        """See Form."""
        if isinstance(node, ScalarNode):
            if isinstance(node.value, bool):
                return node.value
            word = node.text.strip().lower()
            taken = {**_YES, "true": True, "false": False}.get(word)
            if taken is not None:
                message = f"{spell(path)} is {node.text[:60]!r}, and is taken as {str(taken).lower()}."
                told.warning("spelling", message, path, node.at)
                return taken
        return wrong_type(self, node, path, told)


class Many(Struct, frozen=True, kw_only=True):
    """A list, each element of which has the `form`; one value alone is taken as a list of it.

    An element that cannot be taken is left out, or is an empty dictionary where the list `keeps_places`.
    """

    form: Form
    least: int = 0
    most: int = 100_000
    keeps_places: bool = False
    of: str = "text"

    @property
    def expected(self) -> str:
        """See Form."""
        return f"a list of {self.of}"

    def read(self, node: Node, path: Path, told: Complaints) -> list[Any] | UnsetType:
        """See Form."""
        if isinstance(node, SequenceNode):
            nodes = node.nodes
        elif isinstance(self.form, (Text, OneOf)) and isinstance(node, ScalarNode):
            told.warning(
                "not_a_list", f"{spell(path)} is a list, and one value is taken as such.", path, node.at
            )
            nodes = [node]
        else:
            return wrong_type(self, node, path, told)
        if len(nodes) < self.least:
            told.error("empty", f"{spell(path)} is empty: it needs at least {self.least}.", path, node.at)
        if len(nodes) > self.most:
            message = f"{spell(path)} has {len(nodes):,} entries: at most {self.most:,} are taken."
            told.error("too_long", message, path, node.at)
            return UNSET
        read = [self.form.read(each, (*path, index), told) for index, each in enumerate(nodes)]
        if self.keeps_places:
            return [{} if each is UNSET else each for each in read]
        return [each for each in read if each is not UNSET]


def wrong_type(form: Form, node: Node, path: Path, told: Complaints) -> UnsetType:
    """Tell that something else stands where a form asks for its own."""
    if not isinstance(node, ScalarNode):
        found = "a list" if isinstance(node, SequenceNode) else "a mapping of keys to values"
    else:
        found = "empty" if node.value is None or not node.text.strip() else repr(node.text[:60])
    told.error(
        "wrong_type", f"{spell(path) or 'The file'} must be {form.expected}, and is {found}.", path, node.at
    )
    return UNSET
