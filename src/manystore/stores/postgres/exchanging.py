"""Records of a copy whose unique values change hands, brought in by one transaction.

A unique index is checked row by row, and one over an expression (`lower(email)`) cannot be deferred. So the
rows first give their values up for *stand-ins*: null where the column takes it, else something that nobody
has, made of the value so that it keeps its form. Nothing points to these columns, no version changes, no
trigger of the engine runs for a copy's writes, and nobody sees the stand-ins: they are gone at the commit.
Deleting the rows and making them anew would need no stand-ins, and would fire every cascade to their
children.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import asyncpg

from manystore.records import Record
from manystore.stores.postgres.bulk import Bulk, Task, judge
from manystore.stores.postgres.connections import Connections
from manystore.stores.postgres.kinds import MappedKind
from manystore.stores.postgres.layout import sql_type
from manystore.stores.postgres.quoting import quoted
from manystore.stores.postgres.refusals import is_refusal
from manystore.stores.store import Outcome

_FRESH: Final = "substr(md5(random()::text), 1, 12)"


class Exchange(Bulk):
    """Applies records of one kind together. One object serves one call."""

    def __init__(self, mapped: MappedKind, connections: Connections) -> None:
        super().__init__(mapped, connections)
        self._stand_ins = list(_stand_ins(mapped))
        layout = mapped.layout
        self._lock = f"""
            select {layout.key}::text from {layout.table}
            where {layout.key} = any($1::text[]::{layout.key_type}[]) order by {layout.key} for update
            """

    async def apply_together(self, records: Sequence[Record]) -> list[Outcome]:
        """See Store.apply_together. Raises InvalidRecordError before anything is written."""
        tasks = self._encode(records)
        if len(tasks) < len(records):
            unfit = next(iter(self._outcomes.values()))
            return [self._outcomes.get(at, unfit) for at in range(len(records))]

        async def run(connection: Any) -> list[Task]:
            async with connection.transaction():
                await self._enter(connection, tasks)
                await connection.execute(self._lock, [task.record.key for task in tasks])
                return await self._bring_in_newer(connection, tasks)

        try:
            await self._judge_lost(await self._connections.repeat(run))
        except asyncpg.PostgresError as error:
            if not is_refusal(error):
                raise
            return await self._refuse(tasks, error)
        return [self._outcomes[at] for at in range(len(records))]

    async def _bring_in_newer(self, connection: Any, tasks: Sequence[Task]) -> list[Task]:
        """Returns those that lost to somebody who made the same record just now."""
        newer = await self._judge_all(connection, tasks)
        overwritten = [task.record.key for task in newer if not task.is_stone]
        if overwritten:
            await self._give_up_values(connection, overwritten)
        return await self._merge(connection, newer, is_disputed=True) if newer else []

    async def _judge_all(self, connection: Any, tasks: Sequence[Task]) -> list[Task]:
        """Note the outcomes of those that are not newer; returns the others."""
        keys = [task.record.key for task in tasks]
        rows = await connection.fetch(self._mapped.reading.lookup, keys)
        held = {row[-2]: self._mapped.record(row) for row in rows}
        newer = []
        for task in tasks:
            outcome = judge(task.record, held.get(task.record.key))
            if outcome is None:
                newer.append(task)
            else:
                self._outcomes[task.at] = outcome
        return newer

    async def _give_up_values(self, connection: Any, keys: Sequence[str]) -> None:
        layout = self._mapped.layout
        for column, stand_in in self._stand_ins:
            await connection.execute(
                f"update {layout.table} set {column} = {stand_in} "
                f"where {layout.key} = any($1::text[]::{layout.key_type}[]) and {column} is not null",
                keys,
            )

    async def _refuse(self, tasks: Sequence[Task], error: asyncpg.PostgresError) -> list[Outcome]:
        held = await self._mapped.look_up(self._connections, [task.record.key for task in tasks])
        return [judge(task.record, held.get(task.record.key)) or self._refused(task, error) for task in tasks]


def _stand_ins(mapped: MappedKind) -> Iterator[tuple[str, str]]:
    """For each column that the kind's unique values lie in, what it holds for the length of the exchange.

    A value of another type than text or UUID has no stand-in where its column takes no nulls; an exchange of
    such values is refused by the index.
    """
    mapping = mapped.mapping
    for unique in mapping.kind.uniques:
        if unique.field not in mapping.columns or unique.field == "id":
            continue
        column = mapping.table.c[mapping.columns[unique.field]]
        name, type_name = quoted(column.name), sql_type(column)
        if column.nullable:
            yield name, "null"
        elif type_name == "uuid":
            yield name, "gen_random_uuid()"
        elif type_name == "text":
            # Put before the value, so that what looks like an e-mail address still does.
            longer, length = f"{_FRESH} || {name}", getattr(column.type, "length", None)
            overlaid = f"overlay({name} placing {_FRESH} from 1)"
            fits = f"length({name}) + 12 <= {length}"
            yield name, longer if length is None else f"case when {fits} then {longer} else {overlaid} end"
