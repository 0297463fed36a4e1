"""The statements that write records of one mapping: one record with its parts in one statement, or many.

Parameters come in the order in which the functions below put them. Records that are new to a copy go by COPY
straight into their tables. Statements that merge many take one array a column; measured against COPY into a
temporary table and a merge from there, the rates are the same (22 to 23 thousand accounts of three tables a
second), and no session state is left over for a pooler to trip on.

Rows of parts that did not change are not touched, so that their own columns (`completed_at`) survive.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from manystore.stores.postgres.codec import Rows
from manystore.stores.postgres.control import ABOVE
from manystore.stores.postgres.layout import CopyTarget, Layout, Parameters, PartLayout
from manystore.stores.postgres.mapping import RESIDUE, VERSION


class Writing:
    """The texts. `put_…` are for the truth, `apply_…` for one record of a copy, `merge_…` for many."""

    def __init__(self, layout: Layout) -> None:
        kind, key_type = layout.kind, layout.key_type
        enter, enter_copy = f"manystore.enter({kind}, $epoch)", f"manystore.enter_copy({kind}, false)"
        self.put_new = _insert_one(layout, enter)
        self.put_next = _update_one(layout, enter)
        # One statement, whose snapshot is older than the lock that it takes: see `admit_copy`.
        self.apply_new = _insert_one(layout, f"manystore.admit_copy({kind}, $key::text, $version)")
        self.apply_next = _update_one(layout, enter_copy)
        self.delete = _one_statement(
            f"manystore.enter({kind}, $3) and set_config('{ABOVE}', $4::bigint::text, true) is not null",
            f"delete from {layout.table} t using gate where gate.is_open "
            f"and t.{layout.key} = $1 and t.{VERSION} = $2 "
            f"returning greatest(t.{VERSION}, $4::bigint) + 1 as {VERSION}",
            [],
        )
        self.known = f"""
            select u.key::text from unnest($1::{key_type}[]) u (key)
            where exists (select from {layout.table} t where t.{layout.key} = u.key)
            or exists (
                select from manystore.tombstones stone
                where stone.kind = {kind} and stone.key = u.key::text
            )
            """
        self.merge_root = _merge_root(layout)
        self.merge_parts = [_merge_part(part) for part in layout.parts]
        self.clear_parts = [_clear_part(part) for part in layout.parts]
        self.bury_root = f"""
            delete from {layout.table} t using unnest($1::{key_type}[], $2::bigint[]) u (key, version)
            where t.{layout.key} = u.key and t.{VERSION} < u.version
            """
        self.bury_stones = f"""
            insert into manystore.tombstones as stone (kind, key, version)
            select {kind}, u.key::text, u.version
            from unnest($1::{key_type}[], $2::bigint[]) u (key, version)
            where not exists (select from {layout.table} t where t.{layout.key} = u.key)
            on conflict (kind, key) do update set version = excluded.version
            where stone.version < excluded.version
            returning key
            """
        self.unearth = f"""
            delete from manystore.tombstones where kind = {kind} and key = any($1::text[])
            returning key, version
            """


# -- one record in one statement -----------------------------------------------------------------------


def _insert_one(layout: Layout, gate: str) -> str:
    parameter = Parameters()
    key, version, values, residue = _root_parameters(layout, parameter)
    parts = [
        _put_part(part, key, _part_parameters(part, parameter), at) for at, part in enumerate(layout.parts)
    ]
    names = ", ".join([layout.key, VERSION, *layout.columns.names, RESIDUE])
    root = f"""
        insert into {layout.table} ({names})
        select {", ".join([key, version, *values, residue])} from gate where gate.is_open
        on conflict ({layout.key}) do nothing returning {VERSION}"""
    return _one_statement(_fill(gate, key, version, parameter), root, parts)


def _update_one(layout: Layout, gate: str) -> str:
    parameter = Parameters()
    key, version, values, residue = _root_parameters(layout, parameter)
    parts = []
    for at, part in enumerate(layout.parts):
        given = _part_parameters(part, parameter)
        parts += [_put_part(part, key, given, at), _drop_part(part, key, given, at)]
    names = [VERSION, *layout.columns.names, RESIDUE]
    values = [version, *values, residue]
    changes = ", ".join(f"{name} = {value}" for name, value in zip(names, values, strict=True))
    # The version is compared again once the row is locked. Where it still holds, so does what this
    # statement's snapshot shows of the parts, because no part changes without raising the root.
    root = f"""
        update {layout.table} t set {changes} from gate
        where gate.is_open and t.{layout.key} = {key} and t.{VERSION} = {parameter("bigint")}
        returning t.{VERSION}"""
    return _one_statement(_fill(gate, key, version, parameter), root, parts)


def _root_parameters(layout: Layout, parameter: Parameters) -> tuple[str, str, list[str], str]:
    key, version = parameter(layout.key_type), parameter("bigint")
    return key, version, [parameter(each) for each in layout.columns.types], parameter("text")


def _part_parameters(part: PartLayout, parameter: Parameters) -> list[str]:
    """For one part whether it is there and its columns; for a list one array a column."""
    if part.is_list:
        return [parameter(each) for each in part.columns.array_types]
    return [parameter("boolean"), *(parameter(each) for each in part.columns.types)]


def _fill(gate: str, key: str, version: str, parameter: Parameters) -> str:
    if "$epoch" in gate:
        return gate.replace("$epoch", parameter("bigint"))
    return gate.replace("$key", key).replace("$version", version)


def _one_statement(gate: str, root: str, parts: list[str]) -> str:
    """One row: the new version, or null where the root was not written.

    The outer select asks the gate, too: where there is no row to change, nothing else would, and a stale
    writer is to hear of the epoch before it hears of versions.
    """
    texts = [f"gate as materialized (select {gate} as is_open)", f"root as ({root})", *parts]
    return f"with {', '.join(texts)} select root.{VERSION} from gate left join root on true"


def _put_part(part: PartLayout, key: str, given: list[str], at: int) -> str:
    """Runs only where the root was written, because its rows come `from root`."""
    names = ", ".join([part.parent, *part.columns.names])
    if part.is_list:
        fields = ", ".join([key, *part.columns.fields("u")])
        rows = f"root, unnest({', '.join(given)}) u ({', '.join(part.columns.names)})"
        source = f"select {fields} from {rows}"
    else:
        source = f"select {', '.join([key, *given[1:]])} from root where {given[0]}"
    return f"put_{at} as (insert into {part.table} as p ({names}) {source} {_on_conflict(part)})"


def _drop_part(part: PartLayout, key: str, given: list[str], at: int) -> str:
    if part.is_list:
        which = part.columns.names.index(part.identity[-1])
        is_gone = f"p.{part.identity[-1]} <> all({given[which]})"
    else:
        is_gone = f"not {given[0]}"
    return f"drop_{at} as (delete from {part.table} p using root where p.{part.parent} = {key} and {is_gone})"


def _on_conflict(part: PartLayout) -> str:
    names = [name for name in part.columns.names if name not in part.identity]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names)
    before, after = (", ".join(f"{row}.{name}" for name in names) for row in ("p", "excluded"))
    return (
        f"on conflict ({', '.join(part.identity)}) do update set {changes} "
        f"where ({before}) is distinct from ({after})"
    )


def arguments_of_one(layout: Layout, rows: Rows, version: int) -> list[Any]:
    """What `put_…` and `apply_…` begin with.

    Then follow the expected version (`…_next`) and the epoch (`put_…`).
    """
    key, *columns = rows.root
    arguments = [key, version, *columns]
    for part, given in zip(layout.parts, rows.parts, strict=True):
        if part.is_list:
            arguments += part.columns.arrays(given)
        elif given is None:
            arguments += [False, *(None for _ in part.columns.names)]
        else:
            arguments += [True, *given]
    return arguments


# -- many records --------------------------------------------------------------------------------------


def _merge_root(layout: Layout) -> str:
    """Newer versions in; returns the keys that won, and whether they are new."""
    key = layout.key
    changes = ", ".join(f"{name} = excluded.{name}" for name in [VERSION, *layout.columns.names, RESIDUE])
    return f"""
        {_insert_roots(layout, layout.table)}
        where not exists (
            select from manystore.tombstones stone
            where stone.kind = {layout.kind} and stone.key = u.{key}::text and stone.version >= u.{VERSION}
        )
        on conflict ({key}) do update set {changes} where t.{VERSION} < excluded.{VERSION}
        returning t.{key}::text, t.xmax = 0
        """


def _insert_roots(layout: Layout, table: str) -> str:
    columns, key = layout.columns, layout.key
    names = ", ".join([key, VERSION, *columns.names, RESIDUE])
    types = [layout.key_type + "[]", "bigint[]", *columns.array_types, "text[]"]
    fields = ", ".join([f"u.{key}", f"u.{VERSION}", *columns.fields("u"), f"u.{RESIDUE}"])
    return f"insert into {table} as t ({names}) select {fields} from unnest({_numbered(types)}) u ({names})"


def _merge_part(part: PartLayout) -> str:
    return f"{_insert_parts(part, part.table)} {_on_conflict(part)}"


def _insert_parts(part: PartLayout, table: str) -> str:
    types = [part.key_type + "[]", *part.columns.array_types]
    names = ", ".join([part.parent, *part.columns.names])
    fields = ", ".join([f"u.{part.parent}", *part.columns.fields("u")])
    return f"insert into {table} as p ({names}) select {fields} from unnest({_numbered(types)}) u ({names})"


def trial_of_root(layout: Layout, table: str) -> str:
    """Insert roots into a copy of their table, with the arguments of `merge_root`."""
    return _insert_roots(layout, f"pg_temp.{table}")


def trial_of_part(part: PartLayout, table: str) -> str:
    """Insert rows of a part into a copy of their table, with the arguments of `merge_parts`."""
    return _insert_parts(part, f"pg_temp.{table}")


def _clear_part(part: PartLayout) -> str:
    """Drop the rows of the parents in $1 that are not among those given as arrays of the identity."""
    which = [part.columns.names.index(name) for name in part.identity[1:]]
    types = [part.key_type + "[]", *(part.columns.array_types[at] for at in which)]
    given = ", ".join(f"${at}::{each}" for at, each in enumerate(types, 2))
    names = ", ".join(part.identity)
    matches = " and ".join(f"u.{name} = p.{name}" for name in part.identity)
    return f"""
        delete from {part.table} p where p.{part.parent} = any($1::{part.key_type}[])
        and not exists (select from unnest({given}) u ({names}) where {matches})
        """


def _numbered(types: Sequence[str]) -> str:
    return ", ".join(f"${at}::{each}" for at, each in enumerate(types, 1))


def arguments_of_root(layout: Layout, rows: Sequence[Rows], versions: Sequence[int]) -> list[Any]:
    """What `merge_root` takes."""
    columns = layout.columns.arrays([each.root[1:-1] for each in rows])
    return [[each.root[0] for each in rows], versions, *columns, [each.root[-1] for each in rows]]


def arguments_of_part(layout: Layout, at: int, rows: Sequence[Rows]) -> list[Any] | None:
    """What `merge_parts` takes at `at`; None if there is nothing to merge."""
    part = layout.parts[at]
    parents: list[str] = []
    items: list[Any] = []
    for each in rows:
        given = each.parts[at]
        if given:
            mine = given if part.is_list else [given]
            parents += [each.root[0]] * len(mine)
            items += mine
    return [parents, *part.columns.arrays(items)] if items else None


def arguments_of_clear(layout: Layout, at: int, rows: Sequence[Rows]) -> list[Any]:
    """What `clear_parts` takes at `at` so that these records keep no rows but their own."""
    part = layout.parts[at]
    merged = arguments_of_part(layout, at, rows)
    wanted = [0, *(1 + part.columns.names.index(name) for name in part.identity[1:])]
    identities = [merged[each] for each in wanted] if merged else [[] for _ in wanted]
    return [[each.root[0] for each in rows], *identities]


def copied_rows(
    layout: Layout, rows: Sequence[Rows], versions: Mapping[str, int]
) -> Iterator[tuple[CopyTarget, list[Any]]]:
    """What goes by COPY into each table, the root's first: its children point to it."""
    yield (
        layout.copy_target,
        [(*each.root[:1], versions[each.root[0]], *each.root[1:]) for each in rows],
    )
    for at, part in enumerate(layout.parts):
        items: list[Any] = []
        for each in rows:
            key, given = each.root[0], each.parts[at]
            if part.is_list:
                items += [(key, *item) for item in given]
            elif given is not None:
                items.append((key, *given))
        yield part.copy_target, items
