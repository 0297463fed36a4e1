"""Reads query strings, strictly: no parameter unknown or given twice, each value of the declared type."""

from typing import Any, Final, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from mystira.http.bodies import mistake
from mystira.http.problems import ProblemError

S = TypeVar("S", bound=msgspec.Struct)

_MOST_PARAMETERS: Final = 100
_SPELLED_AS_JSON: Final = (inspect.IntType, inspect.FloatType, inspect.BoolType)


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters, or an object without properties."""


class QueryReader(Generic[S]):
    """Reads the query string of one operation: `form` is a struct whose fields are the parameters."""

    def __init__(self, form: type[S]) -> None:
        self._form = form
        info = inspect.type_info(form)
        assert isinstance(info, inspect.StructType), "parameters have names"
        self._names = {field.encode_name: _is_spelled_as_json(field.type) for field in info.fields}
        self._empty = None if any(field.required for field in info.fields) else form()

    def read(self, query: bytes) -> S:
        """What the query string asks for. Raises ProblemError."""
        if not query and self._empty is not None:
            return self._empty
        try:
            return msgspec.convert(self._values(query), self._form)
        except msgspec.ValidationError as error:
            raise mistake(str(error), code="invalid_parameter") from None

    def _values(self, query: bytes) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, text in _pairs(query):
            if name not in self._names:
                known = ", ".join(self._names) or "none"
                detail = f"There is no parameter of this name here; there are: {known}."
                raise ProblemError("unknown_parameter", detail, path=name[:100])
            if name in values:
                raise ProblemError("duplicate_parameter", f"Parameter {name} is given twice.", path=name)
            values[name] = _scalar(text) if self._names[name] else text
        return values


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        text = query.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except UnicodeDecodeError:
        raise ProblemError("bad_request", "The query string is not percent-encoded UTF-8.") from None
    except ValueError:
        raise ProblemError("bad_request", f"There are more than {_MOST_PARAMETERS} parameters.") from None


def _scalar(text: str) -> bool | int | float | str:
    """A number or a boolean as JSON spells it; whatever else stands there is left as text, to be refused."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return value if isinstance(value, (bool, int, float)) else text


def _is_spelled_as_json(declared: inspect.Type) -> bool:
    if isinstance(declared, inspect.UnionType):
        return any(_is_spelled_as_json(each) for each in declared.types)
    return isinstance(declared, _SPELLED_AS_JSON)
