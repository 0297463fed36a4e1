"""What this store would refuse of records, found by trying them on copies of the tables that nobody sees.

The copies are temporary tables with the same columns, checks and nulls as the mapping's, but without foreign
keys and indexes, on a connection of their own that takes them with it when it closes. Unique values are
collected beside them and compared by the server, whose `lower` is what the unique index will go by. Each
batch is a short transaction: a long one would hold back every reader of the change log.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple

import asyncpg

from manystore.errors import NotRepresentableError
from manystore.records import Record
from manystore.stores.postgres.bulk import BATCH
from manystore.stores.postgres.claims import table_claims
from manystore.stores.postgres.codec import Rows
from manystore.stores.postgres.connections import Connections
from manystore.stores.postgres.kinds import MappedKind
from manystore.stores.postgres.merging import (
    arguments_of_part,
    arguments_of_root,
    trial_of_part,
    trial_of_root,
)
from manystore.stores.postgres.quoting import quoted, quoted_table
from manystore.stores.postgres.refusals import is_refusal
from manystore.stores.postgres.values import without_hidden_letters
from manystore.stores.store import Examination, Twins

SAMPLES: Final = 100

_CLAIMS: Final = """
    create temporary table manystore_claims (
        unique_name text not null, claim text collate "C" not null, key text collate "C" not null
    )
    """
_CLAIM: Final = """
    insert into manystore_claims (unique_name, claim, key)
    select $1, case when $2 then lower(u.value) else u.value end, u.key
    from unnest($3::text[], $4::text[]) u (value, key)
    """
_TWINS: Final = """
    select unique_name, claim, array_agg(key order by key) as keys, count(*) over () as total
    from manystore_claims group by unique_name, claim having count(*) > 1
    order by keys limit $1
    """


async def examine(
    mapped: MappedKind, connections: Connections, batches: AsyncIterator[Sequence[Record]]
) -> Examination:
    """See Store.examine. Raises UnavailableError."""
    async with connections.dedicated() as connection:
        examiner = _Examiner(mapped, connection)
        await examiner.prepare()
        async for batch in batches:
            living = [record for record in batch if record.content is not None]
            for start in range(0, len(living), BATCH):
                await examiner.try_out(living[start : start + BATCH])
        return await examiner.verdict()


class _Trial(NamedTuple):
    record: Record
    rows: Rows


class _Examiner:
    def __init__(self, mapped: MappedKind, connection: Any) -> None:
        self._mapped, self._connection = mapped, connection
        self._table_claims = table_claims(mapped.mapping, mapped.codec.names)
        self._examined = self._unfit_count = 0
        self._unfit: list[NotRepresentableError] = []

    async def prepare(self) -> None:
        await self._connection.execute(_CLAIMS)
        for table in self._mapped.mapping.tables():
            # Of the same name, so that what the server says of them reads as if it were of the originals.
            await self._connection.execute(
                f"create temporary table {quoted(table.name)} (like {quoted_table(table)} "
                "including constraints including defaults including identity including generated)"
            )

    async def try_out(self, records: Sequence[Record]) -> None:
        trials: list[_Trial] = []
        self._examined += len(records)
        for record in records:
            try:
                trials.append(_Trial(record, self._mapped.codec.encode(record.key, record.content or {})))
            except NotRepresentableError as error:
                self._note_unfit(error)
        await self._claim(await self._fitting(trials))

    def _note_unfit(self, error: NotRepresentableError) -> None:
        self._unfit_count += 1
        self._unfit.append(error)
        if len(self._unfit) > 2 * SAMPLES:
            self._unfit = sorted(self._unfit, key=_key_of)[:SAMPLES]

    async def _fitting(self, trials: Sequence[_Trial]) -> list[_Trial]:
        """Those that the tables take; the others are found by halving, and noted."""
        if not trials:
            return []
        try:
            await self._insert(trials)
        except asyncpg.PostgresError as error:
            if not is_refusal(error):
                raise
            if len(trials) > 1:
                middle = len(trials) // 2
                return [*await self._fitting(trials[:middle]), *await self._fitting(trials[middle:])]
            record = trials[0].record
            refusal = self._mapped.refusals.refusal(record.key, record.content or {}, error)
            assert isinstance(refusal, NotRepresentableError), "the copies have no keys to violate"
            self._note_unfit(refusal)
            return []
        return list(trials)

    async def _insert(self, trials: Sequence[_Trial]) -> None:
        layout, rows = self._mapped.layout, [trial.rows for trial in trials]
        root, *parts = (quoted(table.name) for table in self._mapped.mapping.tables())
        versions = [trial.record.version for trial in trials]
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            await self._connection.execute(
                trial_of_root(layout, root), *arguments_of_root(layout, rows, versions)
            )
            for at in range(len(layout.parts)):
                if items := arguments_of_part(layout, at, rows):
                    await self._connection.execute(trial_of_part(layout.parts[at], parts[at]), *items)
        finally:
            await transaction.rollback()

    async def _claim(self, trials: Sequence[_Trial]) -> None:
        for unique in self._mapped.kind.uniques:
            claims = [
                (without_hidden_letters(value), trial.record.key)
                for trial in trials
                if isinstance(value := (trial.record.content or {}).get(unique.field), str)
            ]
            values, keys = [value for value, _ in claims], [key for _, key in claims]
            await self._connection.execute(_CLAIM, unique.name, unique.ignoring_case, values, keys)
        for claim in self._table_claims:
            claimed = [(claim.of(trial.rows.root), trial.record.key) for trial in trials]
            values = [value for value, _ in claimed if value is not None]
            keys = [key for value, key in claimed if value is not None]
            await self._connection.execute(_CLAIM, claim.name, False, values, keys)

    async def verdict(self) -> Examination:
        rows = await self._connection.fetch(_TWINS, SAMPLES)
        refusals = self._mapped.refusals
        fields = {claim.name: refusals.field_guarded_by(claim.name) for claim in self._table_claims}
        fields |= {unique.name: unique.field for unique in self._mapped.kind.uniques}
        twins = tuple(
            Twins(unique=row[0], field=fields[row[0]], value=row[1], keys=tuple(row[2])) for row in rows
        )
        return Examination(
            examined=self._examined,
            unfit_count=self._unfit_count,
            unfit=tuple(sorted(self._unfit, key=_key_of)[:SAMPLES]),
            twins_count=rows[0][3] if rows else 0,
            twins=twins,
        )


def _key_of(error: NotRepresentableError) -> str:
    return error.key
