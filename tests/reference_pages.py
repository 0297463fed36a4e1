"""The parts of the reference that follow from the code: `python -m tests.reference_pages` writes them anew.

Such a part stands between two marks in its page, and a test fails when it is not what the code says now. The
texts around the marks are written by hand.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import cyclopts
import sqlalchemy as sa
from cyclopts import App

import manystore.errors
import mystira.errors
from manystore.clock import SystemClock
from manystore.records import Field, FieldType, Kind
from manystore.stores.memory import MemoryStore
from manystore.stores.postgres import Mapping
from mystira.cli import exits
from mystira.cli.commands import app
from mystira.clients.app_api import AppApiClient
from mystira.clients.service_tokens import BearerToken
from mystira.gateways.outside import memory_outside
from mystira.http.callers import describe_access
from mystira.http.in_process import Neighbour
from mystira.http.operations import Operation
from mystira.http.problems import CODES
from mystira.http.service import Service
from mystira.placement import PHASE_NAMES, PLACEMENT, SETTLED
from mystira.platform import Platform
from mystira.schema.mappings import MAPPINGS
from mystira.services.admin import admin_api
from mystira.services.app_api import app_api
from mystira.services.app_api.internal import app_internal
from mystira.settings import PREFIX, Allowed, Settings
from tests.documents import ROOT

REFERENCE: Final = ROOT / "docs" / "reference"
_MARKS: Final = "<!-- written by `make docs`: {name} -->\n{text}\n<!-- end of {name} -->"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|") or " "


# -- settings ------------------------------------------------------------------------------------------


def settings_table() -> str:
    """Every setting, from the class that reads them."""
    rows = []
    for name, field in Settings.model_fields.items():
        allowed = next((fact.phrase for fact in _facts(field.annotation, field.metadata)), "")
        default = "–" if field.default is None else f"`{field.default}`"
        rows.append(
            [f"`{name}`", f"`{PREFIX}{name.upper()}`", allowed, default, _in_code(field.description or "")]
        )
    return table(["setting", "variable", "what it may be", "default", "meaning"], rows)


def _facts(annotation: Any, metadata: Iterable[Any]) -> Iterator[Allowed]:
    sides = (
        fact for side in getattr(annotation, "__args__", ()) for fact in getattr(side, "__metadata__", ())
    )
    return (fact for fact in (*metadata, *sides) if isinstance(fact, Allowed))


def _in_code(text: str) -> str:
    return text.replace("\n", " ")


# -- commands ------------------------------------------------------------------------------------------


def commands() -> dict[str, App]:
    """Every command that can be typed, by its words."""
    return dict(_commands_below(app, "mystira"))


def _commands_below(parent: App, words: str) -> Iterator[tuple[str, App]]:
    for name in parent:
        # Cyclopts writes help and version among the commands.
        if name.startswith("-"):
            continue
        child = parent[name]
        if child.default_command is not None:
            yield f"{words} {name}", child
        yield from _commands_below(child, f"{words} {name}")


def options(command: App) -> list[cyclopts.Argument]:
    """What a command takes, in order. Options that several commands share are a group, typed one by one."""
    return [
        argument
        for argument in command.assemble_argument_collection()
        if argument.parameter.show is not False and not argument.children
    ]


def commands_text() -> str:
    """A section for each command: what it does, how it is typed, what it takes."""
    parts = []
    for words, command in commands().items():
        taken = options(command)
        parts.append(f"### `{words}`\n\n{_purpose(command)}\n\n```text\n{_usage(words, taken)}\n```")
        if taken:
            rows = ([_spelling(each), each.parameter.help or "", _default(each)] for each in taken)
            parts.append(table(["takes", "meaning", "default"], rows))
    return "\n\n".join(parts)


def _purpose(command: App) -> str:
    assert command.default_command is not None
    return inspect.cleandoc(command.default_command.__doc__ or "")


def _usage(words: str, taken: list[cyclopts.Argument]) -> str:
    parts = [words, *(_placed(each) for each in taken)]
    return textwrap.fill(" ".join(parts), 96, subsequent_indent="    ", break_on_hyphens=False)


def _is_positional(argument: cyclopts.Argument) -> bool:
    return argument.field_info.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD


def _placed(argument: cyclopts.Argument) -> str:
    name = argument.names[0]
    if _is_positional(argument):
        shown = name.lstrip("-").upper()
        return shown if argument.required else f"[{shown}]"
    # A break in the line must not part an option from its value.
    shown = name if argument.hint is bool else f"{name}\N{NO-BREAK SPACE}{name.lstrip('-').upper()}"
    return shown if argument.required else f"[{shown}]"


def _spelling(argument: cyclopts.Argument) -> str:
    name = argument.names[0]
    return f"`{name.lstrip('-').upper()}`" if _is_positional(argument) else f"`{name}`"


def _default(argument: cyclopts.Argument) -> str:
    default = argument.field_info.default
    if argument.required:
        return "must be given"
    return "–" if default in (None, False) else f"`{default}`"


# -- exit codes and errors -----------------------------------------------------------------------------


def exit_codes_table() -> str:
    """Every exit code, from the module that names them."""
    source = ast.parse(inspect.getsource(exits))
    rows = []
    for node, below in zip(source.body, source.body[1:], strict=False):
        if isinstance(node, ast.AnnAssign) and isinstance(below, ast.Expr):
            assert isinstance(node.target, ast.Name)
            assert isinstance(below.value, ast.Constant)
            code = getattr(exits, node.target.id)
            rows.append([str(code), f"`{node.target.id}`", str(below.value.value)])
    return table(["code", "name", "meaning"], rows)


def tree(module: Any) -> str:
    """The tree of errors that a module draws in its docstring."""
    drawn = [line for line in module.__doc__.splitlines() if re.search(r"Error\b", line) and "  " in line]
    return "```text\n" + textwrap.dedent("\n".join(drawn)) + "\n```"


def errors_table(module: Any) -> str:
    """Every error of a module: its sentence, and the facts that it carries as attributes."""
    rows = []
    for name, error in vars(module).items():
        if isinstance(error, type) and issubclass(error, Exception) and error.__module__ == module.__name__:
            sentence = " ".join((error.__doc__ or "").split("\n\n", 1)[0].split())
            # An error with no initialiser of its own has its parent's facts.
            facts = [
                each for each in inspect.signature(error.__init__).parameters if each not in ("self", "facts")
            ]
            rows.append([f"`{name}`", sentence, ", ".join(f"`{fact}`" for fact in facts)])
    return table(["error", "its sentence", "its facts"], rows)


# -- kinds ---------------------------------------------------------------------------------------------


def kinds_text() -> str:
    """Where each kind lives, then its fields: type, label, and where each lies in PostgreSQL."""
    rows = [
        [
            f"`{entry.kind.name}`",
            _container(entry.kind),
            f"{entry.source} → {entry.target}",
            f"`{PHASE_NAMES[entry.phase]}`",
            f"`{PHASE_NAMES[entry.home]}`",
            entry.cache,
        ]
        for entry in PLACEMENT
    ]
    placed = table(
        ["kind", "container · partition key", "stores", "begins in", "is meant to stay in", "cache"], rows
    )
    settled = table(
        ["kind, settled for good", "container · partition key", "store"],
        ([f"`{kind.name}`", _container(kind), store] for store, kinds in SETTLED.items() for kind in kinds),
    )
    mappings = {mapping.kind.name: mapping for mapping in MAPPINGS}
    every = [*(entry.kind for entry in PLACEMENT), *(kind for kinds in SETTLED.values() for kind in kinds)]
    return "\n\n".join([placed, settled, *(_kind(kind, mappings.get(kind.name)) for kind in every)])


def _container(kind: Kind) -> str:
    return f"`{kind.container}` · `/{kind.partition_key}`"


def _kind(kind: Kind, mapping: Mapping | None) -> str:
    if mapping is None:
        fields = table(["field", "type", "label"], (row[:3] for row in _unmapped(kind.fields, "")))
    else:
        rows = _fields(kind.fields, mapping.table, mapping)
        fields = table(["field", "type", "label", "in PostgreSQL"], rows)
    parts = [f"### `{kind.name}`", fields]
    for unique in kind.uniques:
        case = ", without regard to case" if unique.ignoring_case else ""
        parts.append(f"No two records share a value of `{unique.field}`{case}.")
    parts += [f"`{parent.field}` names a record of `{parent.kind}`." for parent in kind.parents]
    return "\n\n".join(parts)


def _unmapped(fields: Iterable[Field], path: str) -> Iterator[list[str]]:
    for field in fields:
        yield _row(f"{path}{field.name}", field, "")
        yield from _unmapped(field.fields, f"{path}{field.name}.")


def _fields(fields: Iterable[Field], place: sa.Table, mapping: Mapping) -> Iterator[list[str]]:
    for field in fields:
        part = mapping.part(field.name)
        if part is None:
            yield _row(field.name, field, f"`{place.name}.{mapping.columns[field.name]}`")
        elif field.type is FieldType.STRINGS:
            yield _row(field.name, field, f"a row each in `{part.table.name}`")
        else:
            yield _row(field.name, field, f"rows of `{part.table.name}`")
            columns: Any = getattr(part, "columns", {})
            for inner in field.fields:
                yield _row(f"{field.name}.{inner.name}", inner, f"`{part.table.name}.{columns[inner.name]}`")
            continue
        if field.fields:
            yield from (
                _row(
                    f"{field.name}.{inner.name}",
                    inner,
                    f"inside `{place.name}.{mapping.columns[field.name]}`",
                )
                for inner in field.fields
            )


def _row(name: str, field: Field, place: str) -> list[str]:
    return [f"`{name}`", field.type.value, field.label.value, place]


# -- the services --------------------------------------------------------------------------------------


def services() -> list[Service]:
    """The documented services, over stores that nobody opens."""
    clock = SystemClock()
    platform = Platform(Settings(), MemoryStore(), MemoryStore(), node="reference", clock=clock)
    outside = memory_outside(clock)
    return [
        app_api(platform, outside, service_key="of no platform"),
        app_internal(platform),
        admin_api(platform, outside.keys, AppApiClient(Neighbour(BearerToken("of nobody")).reach)),
    ]


def operations_text() -> str:
    """What each service can be asked."""
    return "\n\n".join(f"### {service.title}\n\n{_operations_table(service)}" for service in services())


def _operations_table(service: Service) -> str:
    head = ["operation", "does", "for", "sends", "answers", "refuses with"]
    return table(head, (_operation(service.prefix, each) for each in service.operations))


def _operation(prefix: str, operation: Operation[Any]) -> list[str]:
    sent = []
    if operation.guarded:
        sent.append("`If-Match`")
    if operation.gives_reason:
        sent.append("`X-Reason`")
    if operation.keyed:
        sent.append("`Idempotency-Key`")
    if operation.revalidates:
        sent.append("`If-None-Match`")
    if operation.names_actor:
        sent.append("`X-Actor`")
    return [
        f"`{operation.method} {prefix}{operation.path}`",
        operation.summary,
        describe_access(operation.allows) + (", their own" if operation.owner else ""),
        ", ".join(sent),
        ", ".join(str(status) for status in operation.answers),
        ", ".join(f"`{code}`" for code in operation.refuses),
    ]


def codes_table() -> str:
    """Every code with which a service refuses."""
    rows = ([f"`{code.code}`", str(code.status), code.title, code.remedy] for code in CODES.values())
    return table(["code", "status", "what happened", "what to do"], rows)


# -- the pages -----------------------------------------------------------------------------------------


PARTS: Final[dict[str, tuple[str, Callable[[], str]]]] = {
    "settings": ("settings.md", settings_table),
    "commands": ("commands.md", commands_text),
    "exit codes": ("exit-codes.md", exit_codes_table),
    "errors of the engine": ("engine-errors.md", lambda: errors_table(manystore.errors)),
    "tree of the engine": ("engine-errors.md", lambda: tree(manystore.errors)),
    "tree of the platform": ("exit-codes.md", lambda: tree(mystira.errors)),
    "kinds": ("kinds.md", kinds_text),
    "operations": ("http-api.md", operations_text),
    "codes of the services": ("errors.md", codes_table),
}
"""Which part stands in which page, and what makes it."""


def rewritten(page: Path) -> str:
    """The page with its parts as the code says them now."""
    text = page.read_text(encoding="utf-8")
    for name, (file, make) in PARTS.items():
        if page == REFERENCE / file:
            before, after = _MARKS.format(name=name, text="\0").split("\0")
            places = list(re.finditer(re.escape(before) + "(.*?)" + re.escape(after), text, re.DOTALL))
            assert len(places) == 1, f"{file} has {len(places)} places for {name}"
            text = text[: places[0].start(1)] + make() + text[places[0].end(1) :]
    return text


def main() -> None:
    """Write every page anew that is not as it should be."""
    for page in sorted({REFERENCE / file for file, _ in PARTS.values()}):
        text = rewritten(page)
        if text != page.read_text(encoding="utf-8"):
            page.write_text(text, encoding="utf-8")
            print(f"written: {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
