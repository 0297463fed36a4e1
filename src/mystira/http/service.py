"""What a service is: operations under one prefix, and what its documentation says of them."""

from typing import Any

import msgspec

from mystira.http.operations import Operation


class PathParameter(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a path: what it means, the type of its values, and one of them."""

    meaning: str
    form: Any
    example: str


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What is mounted under one prefix; `tags` say what each group of operations is about."""

    name: str
    prefix: str
    title: str
    description: str
    operations: tuple[Operation[Any], ...]
    path_parameters: dict[str, PathParameter] = {}
    tags: dict[str, str] = {}
