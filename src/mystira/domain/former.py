"""How the former system spelled what it left in the containers, as the kinds declare it.

It wrote the names of its own classes, which begin with a capital, and kept each list of strings as one text
with commas in between. Only the property `id` of a document had the name that the document store asks for.
"""

from collections.abc import Iterable

from msgspec import structs

from manystore.records import Field, FieldType


def with_former_names(fields: Iterable[Field]) -> tuple[Field, ...]:
    """The fields of a kind, each with its former name after the aliases that it has already."""
    return tuple(each if each.name == "id" else _with_former_name(each) for each in fields)


def _with_former_name(field: Field) -> Field:
    return structs.replace(
        field,
        aliases=(*field.aliases, field.name[0].upper() + field.name[1:]),
        joined_by="," if field.type is FieldType.STRINGS else None,
        fields=tuple(_with_former_name(each) for each in field.fields),
    )
