"""Writes values as YAML or JSON that people read: keys in their order, long text in lines."""

import json
import re
from typing import Any, Final

import yaml

_WIDTH: Final = 100
# What our reader takes for a number although YAML 1.1, by which the library quotes, does not.
_NUMBER: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Indents lists below their keys, writes text of several lines as a block, and never an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists too, so that they can be told from their keys at a glance."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything where it stands."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_block = "\n" in text and not text[0].isspace() and "\t" not in text
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if is_block else None)


_Dumper.add_representer(str, _text)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))


def write_yaml(document: Any) -> bytes:
    """The values as YAML."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text.encode()


def write_json(document: Any) -> bytes:
    """The values as JSON, indented."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
