"""Which records of a refused batch are to blame, asked of the server at once instead of by trial.

Halving a batch finds any culprit, but each one costs a dozen merges of what is around it. The two refusals
that come in crowds, children before their parents and values that another record has, can be looked up.
What is not found here is left to the halving; what is found would have been refused by it as well.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from manystore.errors import MissingParentError, RefusedError, UniqueError
from manystore.records import Parent, Unique
from manystore.stores.postgres.codec import Rows
from manystore.stores.postgres.layout import Layout, sql_type
from manystore.stores.postgres.mapping import VERSION, Mapping
from manystore.stores.postgres.quoting import quoted, quoted_table


class Suspect(NamedTuple):
    """A record of the batch, in the batch's order."""

    key: str
    version: int
    rows: Rows


class Culprits:
    """The look-ups for one mapping."""

    def __init__(self, mapping: Mapping, layout: Layout, names: Sequence[str]) -> None:
        self._kind = mapping.kind.name
        self._parents = list(_parent_checks(mapping, names))
        self._uniques = list(_unique_checks(mapping, layout, names))
        self._held = f"""
            select {layout.key}::text, {VERSION} from {layout.table}
            where {layout.key} = any($1::text[]::{layout.key_type}[])
            union all
            select key, version from manystore.tombstones where kind = {layout.kind} and key = any($1::text[])
            """

    async def find(self, connection: Any, suspects: Sequence[Suspect]) -> dict[str, RefusedError]:
        """The refusals by key. A record that is not newer than what is held is nobody's culprit."""
        held = dict(await connection.fetch(self._held, [suspect.key for suspect in suspects]))
        coming = [each for each in suspects if each.version > held.get(each.key, -1)]
        orphans = await self._orphans(connection, coming)
        return orphans | await self._twins(connection, [each for each in coming if each.key not in orphans])

    async def _orphans(self, connection: Any, coming: Sequence[Suspect]) -> dict[str, RefusedError]:
        found: dict[str, RefusedError] = {}
        for parent, at, statement in self._parents:
            pointing = {each.key: each.rows.root[at] for each in coming if each.rows.root[at] is not None}
            missing = {row[0] for row in await connection.fetch(statement, list(set(pointing.values())))}
            for key, parent_key in pointing.items():
                if parent_key in missing:
                    found[key] = MissingParentError(
                        kind=self._kind,
                        key=key,
                        field=parent.field,
                        parent_kind=parent.kind,
                        parent_key=parent_key,
                    )
        return found

    async def _twins(self, connection: Any, coming: Sequence[Suspect]) -> dict[str, RefusedError]:
        found: dict[str, RefusedError] = {}
        for unique, at, statement in self._uniques:
            claims = [each for each in coming if each.rows.root[at] is not None and each.key not in found]
            keys, values = [each.key for each in claims], [each.rows.root[at] for each in claims]
            for row in await connection.fetch(statement, keys, values):
                found[row[0]] = UniqueError(
                    kind=self._kind, key=row[0], constraint=unique.name, field=unique.field
                )
        return found


def _parent_checks(mapping: Mapping, names: Sequence[str]) -> Iterator[tuple[Parent, int, str]]:
    """For each parent that a foreign key guards: where its key stands in a root row, and which are missing.

    A kind that points to itself is left out: its parents may come with the same batch.
    """
    for parent in mapping.kind.parents:
        if parent.kind == mapping.kind.name or parent.field not in mapping.columns:
            continue
        column = mapping.table.c[mapping.columns[parent.field]]
        for bond in column.foreign_keys:
            table, key = quoted_table(bond.column.table), quoted(bond.column.name)
            statement = f"""
                select u.key::text from unnest($1::{sql_type(column)}[]) u (key)
                where not exists (select from {table} p where p.{key} = u.key)
                """
            yield parent, 1 + names.index(parent.field), statement


def _unique_checks(
    mapping: Mapping, layout: Layout, names: Sequence[str]
) -> Iterator[tuple[Unique, int, str]]:
    """For each unique of the kind: where its value stands, and which records cannot have theirs.

    That is so where a record that is not of the batch has the value, and where an earlier one of the batch
    has it. Records of the batch that are to be overwritten may give theirs up, so they are left out.
    """
    for unique in mapping.kind.uniques:
        if unique.field not in mapping.columns or unique.field == "id":
            continue
        column = quoted(mapping.columns[unique.field])
        claim = "lower({})" if unique.ignoring_case else "{}"
        statement = f"""
            with coming as (
                select u.key, {claim.format("u.value")} as claim, u.place
                from unnest($1::text[], $2::text[]) with ordinality u (key, value, place)
            ), taken as (
                select key from coming where exists (
                    select from {layout.table} t where {claim.format(f"t.{column}")} = coming.claim
                    and t.{layout.key} <> all($1::text[]::{layout.key_type}[])
                )
            ), ranked as (
                select key, row_number() over (partition by claim order by place) as rank
                from coming where key not in (select key from taken)
            )
            select key from taken union all select key from ranked where rank > 1
            """
        yield unique, 1 + names.index(unique.field), statement
