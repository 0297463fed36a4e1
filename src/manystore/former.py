"""How records that a former system left behind are read: other names of properties, lists joined into text.

A document store may hold records that were never written through the engine (version 0). Their kind says by
`Field.aliases` and `Field.joined_by` how that system spelled them; here, and nowhere else, such a spelling is
turned into the declared form. What is stored stays as it is until the record is next written; from version 1
on nothing is interpreted.

Nothing is guessed, so that what is read says neither more nor less than what is stored:

- where a property is there under its declared name, be it null, that is the value; what stands under an alias
  is then a property that nobody declared, and is carried along as such. Of several aliases, the first that is
  there is the value.
- text that is joined is cut at each separator, and at nothing else. Blanks around a separator belong to the
  entries, so that the entries joined again are the text.
- empty text is a list without entries. (The list of one empty entry would have been joined to the same; that
  systems which join lists read it so is why it is read so here.)
- text with an empty entry, such as a separator at its end, is left as it is: whether a nameless entry was
  meant or none cannot be known. It is then a value of another type than declared, which a pre-flight scan
  names.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from manystore.records import Content, Field, Kind


def as_declared(kind: Kind, version: int, content: Content) -> Content:
    """The content of a stored record in the declared form; the very same object where nothing differs."""
    return content if version else _read(kind.fields, content)


def _read(fields: Sequence[Field], content: Content) -> Content:
    read: Content | None = None
    for field in fields:
        name = stored = field.name
        if name in content:
            if not field.fields and field.joined_by is None:
                continue
        else:
            stored = _alias_in(field, content)
            if stored == name:
                continue
        value = content[stored]
        declared = _read_value(field, value)
        if declared is not value or stored != name:
            read = dict(content) if read is None else read
            del read[stored]
            read[name] = declared
    return content if read is None else read


def _alias_in(field: Field, content: Content) -> str:
    """The name under which a field is there that has not its own; its own where it is not there at all."""
    for alias in field.aliases:
        if alias in content:
            return alias
    return field.name


def _read_value(field: Field, value: Any) -> Any:
    if field.joined_by is not None and isinstance(value, str):
        return _split(value, field.joined_by)
    if field.fields and isinstance(value, dict):
        return _read(field.fields, value)
    if field.fields and isinstance(value, list):
        read = [_read(field.fields, each) if isinstance(each, dict) else each for each in value]
        return value if all(map(_is, read, value)) else read
    return value


def _is(one: object, other: object) -> bool:
    return one is other


def _split(text: str, separator: str) -> list[str] | str:
    if not text:
        return []
    entries = text.split(separator)
    return entries if all(entries) else text


def spellings(kind: Kind, path: str) -> list[tuple[str, ...]]:
    """Every way in which the names along a declared path may be spelled at version 0, the declared first."""
    fields, names = kind.fields, list[tuple[str, ...]]()
    for name in path.split("."):
        field = next(each for each in fields if each.name == name)
        names.append((name, *field.aliases))
        fields = field.fields
    return list(itertools.product(*names))


def former_forms(kind: Kind) -> list[tuple[str, tuple[str, ...], str | None]]:
    """Path, aliases and separator of each field that a former system spelled otherwise; by these, two
    declarations of a kind that read its old records alike can be told from two that do not.
    """
    return list(_forms(kind.fields, ""))


def _forms(fields: Sequence[Field], prefix: str) -> Iterator[tuple[str, tuple[str, ...], str | None]]:
    for field in fields:
        if field.aliases or field.joined_by is not None:
            yield prefix + field.name, field.aliases, field.joined_by
        yield from _forms(field.fields, f"{prefix}{field.name}.")
