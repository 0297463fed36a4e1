"""The statements that write one record with its parts: each a single one, and so a transaction of its own.

Of the parts a statement touches only what it has to, because each table that it may write costs a fifth of
the whole: what is known to be the same is kept, what has no rows is dropped, the rest is put, and of that
only rows that differ, so that their own columns (`completed_at`) survive.
"""

from collections.abc import Sequence
from typing import Any, Literal

from manystore.stores.postgres.codec import Rows
from manystore.stores.postgres.control import ABOVE
from manystore.stores.postgres.layout import Layout, Parameters, PartLayout, on_conflict
from manystore.stores.postgres.mapping import RESIDUE, VERSION

Action = Literal["keep", "put", "drop"]
"""What becomes of the rows of a part."""

Gate = Literal["put", "apply"]
"""Who writes: the truth, under an epoch, or a copy."""


def actions_for_new(rows: Rows) -> tuple[Action, ...]:
    """What a record needs of which there are no rows yet."""
    return tuple("put" if part else "keep" for part in rows.parts)


def actions_for_next(rows: Rows, same: Sequence[bool] = ()) -> tuple[Action, ...]:
    """What a record needs that replaces another; `same` tells the parts that are known to be the same."""
    known = same or [False] * len(rows.parts)
    # A part whose columns are all empty is a row, and no empty list.
    there = [part is not None and part != [] for part in rows.parts]
    return tuple(
        "keep" if is_same else "put" if is_there else "drop"
        for is_same, is_there in zip(known, there, strict=True)
    )


class Single:
    """Composes the texts, each once. All return one row: the new version, or null if nothing was written."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._texts: dict[tuple[str, Gate, tuple[Action, ...]], str] = {}
        enter = f"manystore.enter({layout.kind}, $3)"
        self.delete = _one_statement(
            f"{enter} and set_config('{ABOVE}', $4::bigint::text, true) is not null",
            f"delete from {layout.table} t using gate where gate.is_open "
            f"and t.{layout.key} = $1 and t.{VERSION} = $2 "
            f"returning greatest(t.{VERSION}, $4::bigint) + 1 as {VERSION}",
            [],
        )
        """Key, expected version, epoch, version to be passed."""

    def insert(self, gate: Gate, actions: tuple[Action, ...]) -> str:
        """Write a record that is not there; `arguments_of_one`, then the epoch if it is the truth."""
        found = self._texts.get(("insert", gate, actions))
        if found is None:
            found = self._texts["insert", gate, actions] = self._insert(gate, actions)
        return found

    def update(self, gate: Gate, actions: tuple[Action, ...]) -> str:
        """Write over a version; `arguments_of_one`, that version, then the epoch if it is the truth."""
        found = self._texts.get(("update", gate, actions))
        if found is None:
            found = self._texts["update", gate, actions] = self._update(gate, actions)
        return found

    def _insert(self, gate: Gate, actions: tuple[Action, ...]) -> str:
        layout, parameter = self._layout, Parameters()
        key, version, values, residue = _root_parameters(layout, parameter)
        parts = _parts(layout, actions, key, parameter, is_new=True)
        names = ", ".join([layout.key, VERSION, *layout.columns.names, RESIDUE])
        root = f"""
            insert into {layout.table} ({names})
            select {", ".join([key, version, *values, residue])} from gate where gate.is_open
            on conflict ({layout.key}) do nothing returning {VERSION}"""
        # A copy's snapshot is older than the lock that it takes: see `admit_copy`.
        admit = f"manystore.admit_copy({layout.kind}, {key}::text, {version})"
        return _one_statement(admit if gate == "apply" else _enter(layout, parameter), root, parts)

    def _update(self, gate: Gate, actions: tuple[Action, ...]) -> str:
        layout, parameter = self._layout, Parameters()
        key, version, values, residue = _root_parameters(layout, parameter)
        parts = _parts(layout, actions, key, parameter, is_new=False)
        pairs = zip([VERSION, *layout.columns.names, RESIDUE], [version, *values, residue], strict=True)
        # The version is compared again once the row is locked. Where it still holds, so does what this
        # statement's snapshot shows of the parts, because no part changes without raising the root.
        root = f"""
            update {layout.table} t set {", ".join(f"{name} = {value}" for name, value in pairs)} from gate
            where gate.is_open and t.{layout.key} = {key} and t.{VERSION} = {parameter("bigint")}
            returning t.{VERSION}"""
        copying = f"manystore.enter_copy({layout.kind}, false)"
        return _one_statement(copying if gate == "apply" else _enter(layout, parameter), root, parts)


def arguments_of_one(layout: Layout, rows: Rows, version: int, actions: tuple[Action, ...]) -> list[Any]:
    """What statements with these actions begin with."""
    key, *columns = rows.root
    arguments = [key, version, *columns]
    for part, given, action in zip(layout.parts, rows.parts, actions, strict=True):
        if action == "put":
            arguments += part.columns.arrays(given) if part.is_list else given
    return arguments


def _enter(layout: Layout, parameter: Parameters) -> str:
    return f"manystore.enter({layout.kind}, {parameter('bigint')})"


def _root_parameters(layout: Layout, parameter: Parameters) -> tuple[str, str, list[str], str]:
    key, version = parameter(layout.key_type), parameter("bigint")
    return key, version, [parameter(each) for each in layout.columns.types], parameter("text")


def _parts(
    layout: Layout, actions: tuple[Action, ...], key: str, parameter: Parameters, *, is_new: bool
) -> list[str]:
    texts: list[str] = []
    for at, (part, action) in enumerate(zip(layout.parts, actions, strict=True)):
        if action == "put":
            types = part.columns.array_types if part.is_list else part.columns.types
            given = [parameter(each) for each in types]
            texts.append(_put(part, key, given, at))
            if part.is_list and not is_new:
                which = given[part.columns.names.index(part.identity[-1])]
                texts.append(_drop(part, key, at, f"and p.{part.identity[-1]} <> all({which})"))
        elif action == "drop":
            texts.append(_drop(part, key, at, ""))
    return texts


def _one_statement(gate: str, root: str, parts: list[str]) -> str:
    """The outer select asks the gate, too: where there is no row to change, nothing else would, and a stale
    writer is to hear of the epoch before it hears of versions.
    """
    texts = [f"gate as materialized (select {gate} as is_open)", f"root as ({root})", *parts]
    return f"with {', '.join(texts)} select root.{VERSION} from gate left join root on true"


def _put(part: PartLayout, key: str, given: list[str], at: int) -> str:
    """Runs only where the root was written, because its rows come `from root`."""
    names = ", ".join([part.parent, *part.columns.names])
    if part.is_list:
        fields = ", ".join([key, *part.columns.fields("u")])
        rows = f"root, unnest({', '.join(given)}) u ({', '.join(part.columns.names)})"
        source = f"select {fields} from {rows}"
    else:
        source = f"select {', '.join([key, *given])} from root"
    return f"put_{at} as (insert into {part.table} as p ({names}) {source} {on_conflict(part)})"


def _drop(part: PartLayout, key: str, at: int, which: str) -> str:
    return f"drop_{at} as (delete from {part.table} p using root where p.{part.parent} = {key} {which})"
