"""The statements that read records of one mapping: each a single one, so each sees one moment.

A selected row is what the codec decodes: key, version, residue, columns, then the parts. Where tombstones
may be met, the key asked for and the tombstone's version come last.
"""

from manystore.stores.postgres.layout import Layout, PartLayout
from manystore.stores.postgres.mapping import RESIDUE, VERSION
from manystore.stores.postgres.quoting import literal


class Reading:
    """The texts, with `t` as the root table's alias throughout."""

    def __init__(self, layout: Layout) -> None:
        key = layout.key
        self.fields = ", ".join(
            [
                f"t.{key}",
                f"t.{VERSION}",
                f"t.{RESIDUE}",
                *(f"t.{name}" for name in layout.columns.names),
                *(_part_fields(part, at, key) for at, part in enumerate(layout.parts)),
            ]
        )
        self.joins = " ".join(
            f"left join {part.table} p{at} on p{at}.{part.parent} = t.{key}"
            for at, part in enumerate(layout.parts)
            if not part.is_list
        )
        self.source = f"{layout.table} t {self.joins}"
        self.get = f"select {self.fields} from {self.source} where t.{key} = $1"
        self.version = f"select {VERSION} from {layout.table} where {key} = $1"
        self.count = f"select count(*) from {layout.table}"
        self.lookup = f"""
            select {self.fields}, k.key::text, stone.version
            from unnest($1::{layout.key_type}[]) as k (key)
            left join {layout.table} t on t.{key} = k.key {self.joins}
            left join manystore.tombstones stone
                on t.{key} is null and stone.kind = {layout.kind} and stone.key = k.key::text
            where t.{key} is not null or stone.key is not null
            """
        self.pages = f"select pg_relation_size({literal(layout.table)}::regclass) / 8192"
        self.cuts = f"""
            select unnest(percentile_disc($1::float8[]) within group (order by {key}))::text
            from {layout.table} tablesample system ($2)
            """
        self._layout = layout

    def scan(self, *, has_after: bool, has_upto: bool) -> str:
        """Records and tombstones of a range by key; $1 the limit, then `after` and `upto` where they are."""
        layout = self._layout
        return f"""
            select {self.fields}, k.key::text, k.buried
            from ({self._keys("null::bigint", has_after=has_after, has_upto=has_upto)}) k (key, buried)
            left join {layout.table} t on t.{layout.key} = k.key and k.buried is null {self.joins}
            order by k.key
            """

    def versions(self, *, has_after: bool, has_upto: bool) -> str:
        """Keys, versions, and whether they are of tombstones; parameters as those of `scan`."""
        keys = self._keys(VERSION, "false", "true", has_after=has_after, has_upto=has_upto)
        return f"select k.key::text, k.version, k.is_deleted from ({keys}) k (key, version, is_deleted)"

    def _keys(self, version: str, *is_deleted: str, has_after: bool, has_upto: bool) -> str:
        """Keys of a range with the version of records (as the expression says) and of tombstones."""
        layout, at = self._layout, 2
        of_records, of_stones = ["true"], [f"kind = {layout.kind}"]
        for is_there, operator in ((has_after, ">"), (has_upto, "<=")):
            if is_there:
                of_records.append(f"{layout.key} {operator} ${at}::text::{layout.key_type}")
                of_stones.append(f"key {operator} ${at}::text")
                at += 1
        living, deleted = is_deleted or ("", "")
        return f"""
            (
                select {layout.key} as key, {version}{living and ", " + living} from {layout.table}
                where {" and ".join(of_records)} order by {layout.key} limit $1
            )
            union all
            (
                select key::{layout.key_type}, version{deleted and ", " + deleted} from manystore.tombstones
                where {" and ".join(of_stones)} order by manystore.tombstones.key limit $1
            )
            order by key limit $1
            """


def _part_fields(part: PartLayout, at: int, key: str) -> str:
    if not part.is_list:
        names = ", ".join(f"p{at}.{name}" for name in part.columns.names)
        return f"p{at}.{part.parent} is not null, {names}"
    names = ", ".join(f"p.{name}" for name in part.columns.names)
    # Rows made by hand may share an ordinal; the second key keeps their order the same at each reading.
    order = f"p.{part.ordinal}, p.{part.identity[-1]}"
    value = f"p.{part.columns.names[-1]}" if part.is_strings else f"row({names})"
    return f"array(select {value} from {part.table} p where p.{part.parent} = t.{key} order by {order})"
