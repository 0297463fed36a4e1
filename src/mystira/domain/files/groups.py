"""Keys and what must stand under them: which are needed, which are known, and what to make of the others."""

from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

from mystira.domain.files.findings import Path, spell
from mystira.domain.files.forms import Form, wrong_type
from mystira.domain.files.nodes import Complaints, Entry, MappingNode, Node, ScalarNode, squeezed

_MERGE: Final = "<<"


class Field(Struct, frozen=True):
    """A key of a group: its name, the form of its value, whether it must be there, and other names for it.

    One that `may_be_null` says something by being empty, and is not told of then.
    """

    key: str
    form: Form
    required: bool = False
    aliases: tuple[str, ...] = ()
    may_be_null: bool = False


class Group(Struct, frozen=True, kw_only=True):
    """A mapping with declared keys. Read, it is a dictionary of those that could be taken.

    A key that is unknown is passed over with a warning; one in another spelling is taken with one, unless
    `any_spelling` is as good; an empty value counts as none.
    """

    fields: tuple[Field, ...]
    what: str = "a mapping of keys to values"
    any_spelling: bool = False

    @property
    def expected(self) -> str:
        """See Form."""
        return self.what

    def read(self, node: Node, path: Path, told: Complaints) -> dict[str, Any] | UnsetType:
        """See Form."""
        if not isinstance(node, MappingNode):
            return wrong_type(self, node, path, told)
        placed = self._placed(node, path, told)
        read: dict[str, Any] = {}
        for field in self.fields:
            if field.key not in placed:
                self._miss(field, node, path, told)
                continue
            entry, inner = placed[field.key], (*path, field.key)
            if _is_empty(entry.node):
                self._empty(field, entry, inner, told)
                continue
            value = field.form.read(entry.node, inner, told)
            if value is not UNSET:
                read[field.key] = value
        return read

    def _placed(self, node: MappingNode, path: Path, told: Complaints) -> dict[str, Entry]:
        """What stands under each known key."""
        exact = frozenset(field.key for field in self.fields)
        known = {squeezed(name): field.key for field in self.fields for name in (field.key, *field.aliases)}
        placed = {entry.key: entry for entry in node.entries if entry.key in exact}
        for entry in node.entries:
            if entry.key in exact:
                continue
            key = known.get(squeezed(entry.key))
            if key is None:
                _pass_over(entry, exact, path, told)
            elif key in placed:
                name = spell((*path, entry.key))
                message = f"{name} says the same as {key}, which is here too: keep one of them."
                told.error("duplicate_key", message, (*path, key), entry.at)
            else:
                placed[key] = entry
                if not self.any_spelling:
                    message = (
                        f"{spell((*path, entry.key))} is taken as {key}, which is how it is spelled here."
                    )
                    told.warning("spelling", message, (*path, key), entry.at)
        return placed

    @staticmethod
    def _miss(field: Field, node: MappingNode, path: Path, told: Complaints) -> None:
        if field.required:
            inner = (*path, field.key)
            told.error("missing", f"{spell(inner)} is missing: write {field.form.expected}.", inner, node.at)

    @staticmethod
    def _empty(field: Field, entry: Entry, path: Path, told: Complaints) -> None:
        if field.required:
            told.error("empty", f"{spell(path)} is empty: write {field.form.expected}.", path, entry.at)
        elif not (field.may_be_null and isinstance(entry.node, ScalarNode) and entry.node.value is None):
            message = f"{spell(path)} is empty, and counts as left out."
            told.warning("empty_value", message, path, entry.at)


def _is_empty(node: Node) -> bool:
    return isinstance(node, ScalarNode) and (node.value is None or not node.text.strip())


def _pass_over(entry: Entry, known: frozenset[str], path: Path, told: Complaints) -> None:
    name = spell((*path, entry.key[:100]))
    if entry.key == _MERGE:
        message = f"{name}: keys cannot be merged in by <<; write them out."
        told.error("merge_key", message, path, entry.at)
        return
    perhaps = told.spelling(known).perhaps(entry.key.lower())
    told.warning("unknown_key", f"{name} is not known here, and is passed over{perhaps}.", path, entry.at)
