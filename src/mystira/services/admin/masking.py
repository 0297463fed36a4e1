"""Hides what a record says of people, by the labels of its kind's fields.

The structure stays: which properties there are, and which are null. The id stays too, since it is what the
record was asked for by. A property that was never declared could be anything, so it is Restricted.
"""

from collections.abc import Sequence
from typing import Any, Final

from manystore.records import Content, Field, Kind, Label, parse

_OPEN: Final = (Label.PUBLIC, Label.INTERNAL)


def mask(kind: Kind, content: Content | None) -> Content | None:
    """The content without the values of Confidential and Restricted fields."""
    if content is None:
        return None
    masked = _mask_part(kind.fields, content)
    return masked | {"id": content["id"]} if "id" in content else masked


def mask_evidence(kind: Kind, evidence: str, *, is_masked: bool) -> Any:
    """What a store kept of a rogue write, as JSON, without personal values where it is to be masked.

    A document is masked as a record is. Of rows only table, operation and names of columns stay, since
    columns carry no labels. What is no JSON is text that nobody can judge.
    """
    try:
        written = parse(evidence)
    except ValueError:
        written = evidence
    if not is_masked or written is None:
        return written
    if isinstance(written, dict):
        return mask(kind, written)
    if isinstance(written, list):
        return [_mask_row(row) for row in written]
    return f"[{Label.RESTRICTED.value}]"


def _mask_row(row: Any) -> Any:
    hidden = f"[{Label.RESTRICTED.value}]"
    if not isinstance(row, dict) or not isinstance(row.get("row"), dict):
        return hidden
    columns = {name: None if value is None else hidden for name, value in row["row"].items()}
    return {name: row[name] for name in ("table", "operation") if name in row} | {"row": columns}


def _mask_part(fields: Sequence[Field], content: Content) -> Content:
    declared = {field.name: field for field in fields}
    return {name: _mask_value(declared.get(name), value) for name, value in content.items()}


def _mask_value(field: Field | None, value: Any) -> Any:
    if value is None:
        return None
    if field is not None and field.fields:
        if isinstance(value, dict):
            return _mask_part(field.fields, value)
        if isinstance(value, list):
            return [_mask_element(field, element) for element in value]
    label = Label.RESTRICTED if field is None else field.label
    return value if label in _OPEN else f"[{label.value}]"


def _mask_element(field: Field, element: Any) -> Any:
    return _mask_part(field.fields, element) if isinstance(element, dict) else f"[{field.label.value}]"
