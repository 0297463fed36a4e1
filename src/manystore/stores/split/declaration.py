"""Which fields of a kind lie where: one declaration, from which come the kinds that either store knows.

The core store keeps a record's core properties under the kind's own name, with one property more: POINTER,
the digest of the record's *part*, which is all of its properties that lie in the rest store. A record none of
whose properties lies there has neither part nor pointer.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Final

from msgspec import Struct, structs

from manystore.errors import DeclarationError
from manystore.former import as_declared
from manystore.records import Content, Field, FieldType, Kind, Label, Record, digest
from manystore.specifications import Both, Either, Not, Predicate

POINTER: Final = "_rest"
"""The property by which a core record names its part; a record's own of that name goes to the rest."""

PART: Final = "content"
"""The property of a sheet's entry that holds a part."""

SHEET_PARTS: Final = "parts"


class Split(Struct, frozen=True, kw_only=True, dict=True):
    """The fields of `kind` that lie in the rest store; all others, and what nobody declared, are core.

    Raises DeclarationError for a field that is not declared, and for one by which stores find, spread or
    refuse records: the id, the partition key, what is unique, what points to a parent.
    """

    kind: Kind
    rest: tuple[str, ...]

    def __post_init__(self) -> None:
        subject = f"split of {self.kind.name}"
        declared = {field.name for field in self.kind.fields}
        if not self.rest or len(set(self.rest)) != len(self.rest):
            raise DeclarationError(
                subject=subject, reason="it names each field of the rest once, at least one"
            )
        if POINTER in declared:
            raise DeclarationError(subject=subject, reason=f"{POINTER} is the engine's own property")
        if stray := sorted(set(self.rest) - declared):
            raise DeclarationError(subject=subject, reason=f"no field named {', '.join(stray)}")
        bound = {
            "id",
            self.kind.partition_key,
            *(unique.field for unique in self.kind.uniques),
            *(parent.field for parent in self.kind.parents),
        }
        if torn := sorted(bound & set(self.rest)):
            reason = f"{', '.join(torn)} must be core: by it the core store finds, spreads or refuses records"
            raise DeclarationError(subject=subject, reason=reason)

    @cached_property
    def core_kind(self) -> Kind:
        """The kind as the core store knows it: its fields of the core, and the pointer."""
        pointer = Field(name=POINTER, type=FieldType.STRING, label=Label.INTERNAL)
        fields = tuple(field for field in self.kind.fields if field.name not in self.rest)
        return structs.replace(self.kind, fields=(*fields, pointer))

    @cached_property
    def rest_kind(self) -> Kind:
        """The kind of the sheets in the rest store: one a record, under the record's key."""
        fields = tuple(field for field in self.kind.fields if field.name in self.rest)
        claim = (
            Field(name="by", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="until", type=FieldType.INTEGER, label=Label.INTERNAL),
            Field(name="at", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
        )
        part = (
            Field(name="digest", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="claims", type=FieldType.OBJECTS, label=Label.INTERNAL, fields=claim),
            Field(name=PART, type=FieldType.OBJECT, label=_highest(fields), fields=fields),
        )
        parts = Field(name=SHEET_PARTS, type=FieldType.OBJECTS, label=_highest(fields), fields=part)
        return Kind(
            name=f"{self.kind.name}_rest",
            container=f"{self.kind.container}Rest",
            fields=(self.kind.field("id"), parts),
        )

    def divide_record(self, record: Record) -> tuple[Record, Content]:
        """A record as the core store holds it, and its part; of what a former system spelled, as declared."""
        if record.content is None:
            return record, {}
        core, part = self.divide(as_declared(self.kind, record.version, record.content))
        return Record(record.key, record.version, core), part

    def divide(self, content: Content) -> tuple[Content, Content]:
        """The content's properties of the core with the pointer, and those of the rest: the part."""
        away = {*self.rest, POINTER}
        part = {name: value for name, value in content.items() if name in away}
        core = {name: value for name, value in content.items() if name not in away}
        if part:
            core[POINTER] = digest(part).hex()
        return core, part

    def is_core(self, path: str) -> bool:
        """Whether the core store alone can say what a record has at this path."""
        return path.split(".", 1)[0] not in self.rest

    def core_of(self, predicate: Predicate) -> Predicate:
        """What the core store can say of a predicate: it holds wherever the predicate does."""
        if all(map(self.is_core, fields_of(predicate))):
            return predicate
        if isinstance(predicate, Both):
            return Both(tuple(map(self.core_of, predicate.parts)))
        return Both(())


def pointer_of(content: Content | None) -> str | None:
    """The digest by which a core record names its part, or None where it has no part."""
    pointer = None if content is None else content.get(POINTER)
    return pointer if isinstance(pointer, str) else None


def fields_of(predicate: Predicate) -> Iterator[str]:
    """The paths that a predicate asks for."""
    match predicate:
        case Both(parts) | Either(parts):
            for part in parts:
                yield from fields_of(part)
        case Not(part):
            yield from fields_of(part)
        case _:
            yield predicate.field  # type: ignore[attr-defined]  # every other predicate asks for one


_LABELS: Final = tuple(Label)


def _highest(fields: tuple[Field, ...]) -> Label:
    return max((field.label for field in fields), key=_LABELS.index)
