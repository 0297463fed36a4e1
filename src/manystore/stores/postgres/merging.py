"""The statements that write many records of one mapping at once, as a copy does.

Records that are new go by COPY straight into their tables. Statements that merge take one array a column;
measured against COPY into a temporary table and a merge from there, the rates are the same (22 to 23
thousand accounts of three tables a second), and no session state is left over for a pooler to trip on.

Rows of parts that did not change are not touched, so that their own columns (`completed_at`) survive.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from manystore.stores.postgres.codec import Lines, Rows
from manystore.stores.postgres.layout import CopyTarget, Layout, PartLayout, on_conflict
from manystore.stores.postgres.mapping import RESIDUE, VERSION
from manystore.stores.postgres.row_ids import make_ids


class Merging:
    """The texts; parameters come in the order in which the functions below put them."""

    def __init__(self, layout: Layout) -> None:
        kind, key_type = layout.kind, layout.key_type
        self.known = f"""
            select {layout.key}::text from {layout.table} where {layout.key} = any($1::text[]::{key_type}[])
            union all
            select key from manystore.tombstones where kind = {kind} and key = any($1::text[])
            """
        self.root = _merge_root(layout)
        self.parts = [_merge_part(part) for part in layout.parts]
        self.clear = [_clear_part(part) for part in layout.parts]
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
    return f"{_insert_parts(part, part.table)} {on_conflict(part)}"


def _insert_parts(part: PartLayout, table: str) -> str:
    types = [part.key_type + "[]", *part.columns.array_types]
    names = ", ".join([part.parent, *part.columns.names])
    fields = ", ".join([f"u.{part.parent}", *part.columns.fields("u")])
    return f"insert into {table} as p ({names}) select {fields} from unnest({_numbered(types)}) u ({names})"


def trial_of_root(layout: Layout, table: str) -> str:
    """Insert roots into a copy of their table, with the arguments of `Merging.root`."""
    return _insert_roots(layout, f"pg_temp.{table}")


def trial_of_part(part: PartLayout, table: str) -> str:
    """Insert rows of a part into a copy of their table, with the arguments of `Merging.parts`."""
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
    """What `Merging.root` takes."""
    columns = layout.columns.arrays([each.root[1:-1] for each in rows])
    return [[each.root[0] for each in rows], versions, *columns, [each.root[-1] for each in rows]]


def arguments_of_part(layout: Layout, at: int, rows: Sequence[Rows]) -> list[Any] | None:
    """What `Merging.parts` takes at `at`; None if there is nothing to merge."""
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
    """What `Merging.clear` takes at `at` so that these records keep no rows but their own."""
    part = layout.parts[at]
    merged = arguments_of_part(layout, at, rows)
    wanted = [0, *(1 + part.columns.names.index(name) for name in part.identity[1:])]
    identities = [merged[each] for each in wanted] if merged else [[] for _ in wanted]
    return [[each.root[0] for each in rows], *identities]


def copied_lines(layout: Layout, lines: Sequence[Lines]) -> Iterator[tuple[CopyTarget, bytes]]:
    """What goes by COPY into each table, the root's first: its children point to it."""
    yield layout.copy_target, "".join([f"{key}{root}\n" for key, root, _ in lines]).encode()
    for at, part in enumerate(layout.parts):
        rows = [f"{key}{text}" for key, _, parts in lines for text in parts[at]]
        if part.makes_ids:
            rows = [f"{row}\t{its_id}" for row, its_id in zip(rows, make_ids(len(rows)), strict=True)]
        yield part.copy_target, "".join([f"{row}\n" for row in rows]).encode()
