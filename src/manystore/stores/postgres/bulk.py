"""Applying finished records to a copy: many in one transaction, or a few by one statement each.

Whatever else is being applied to the same records at the same time, the newest version stands. Rows of
parts are changed only once their root is: in a transaction after the root's row is locked, or in one
statement under the condition that the root is still at the version that was read.

Where the server refuses a batch, those to blame are looked up, and where that does not find them the batch
is halved until they stand alone; the others land.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from manystore.errors import NotRepresentableError, UnavailableError
from manystore.records import FieldType, Record, canonical
from manystore.stores.postgres.codec import Lines, Rows
from manystore.stores.postgres.connections import Connections
from manystore.stores.postgres.culprits import Suspect
from manystore.stores.postgres.kinds import MappedKind
from manystore.stores.postgres.ledger import store_note
from manystore.stores.postgres.merging import (
    arguments_of_clear,
    arguments_of_part,
    arguments_of_root,
    copied_lines,
)
from manystore.stores.postgres.refusals import is_refusal
from manystore.stores.postgres.single import actions_for_new, actions_for_next, arguments_of_one
from manystore.stores.postgres.spelling import uuids
from manystore.stores.store import Applied, Diverged, Ignored, Note, Outcome, Refused

FEW: Final = 8
"""Up to so many records one by one are cheaper than the statements of a batch."""

BATCH: Final = 500
"""So many records keep a transaction near 25 ms: open ones hold every reader of every log back."""

_TRIES: Final = 5

_ENTER: Final = """
    select manystore.enter_copy($1, $2), set_config('idle_in_transaction_session_timeout', $3, true)
    """
"""And for how many milliseconds it may be silent: should it freeze, its locks are in the way of others."""


class Task(msgspec.Struct):
    """A record on its way in: `at` is its place in the caller's list.

    It has rows, or the lines by which COPY takes them, or both; a tombstone has neither.
    """

    at: int
    record: Record
    rows: Rows | None = None
    lines: Lines | None = None

    @property
    def is_stone(self) -> bool:
        """Whether it is a tombstone."""
        return self.record.content is None


class Bulk:
    """Applies records of one kind. One object serves one call."""

    def __init__(self, mapped: MappedKind, connections: Connections) -> None:
        self._mapped, self._connections = mapped, connections
        self._outcomes: dict[int, Outcome] = {}

    async def apply(self, records: Sequence[Record], note: Note | None) -> list[Outcome]:
        """See Store.apply. Raises InvalidRecordError before anything is written."""
        if note is None and len(records) <= FEW:
            await self._apply_few(self._encode(records))
        else:
            # A note comes with a move's copy, whose records are new, as a rule.
            tasks = self._encode(records) if note is None else self._spell(records)
            batches = list(_batches(tasks)) or [[]]
            for number, batch in enumerate(batches, 1):
                # The note says that everything before it is there, so it goes with the last.
                await self._apply_batch(batch, note if number == len(batches) else None)
        return [self._outcomes[at] for at in range(len(records))]

    def _spell(self, records: Sequence[Record]) -> list[Task]:
        """`_encode`, but for what has only to be copied, and in half the time."""
        living = [record for record in records if record.content is not None]
        if not self._have_keys(living):
            return self._encode(records)
        try:
            spelled = self._mapped.codec.spell(living)
        except Exception:  # noqa: BLE001 - it is found out and raised, or refused, one by one
            # One of them is no record, and may fail in any way. Alone, it is called what it is.
            return self._encode(records)
        lines, tasks = iter(spelled), list[Task]()
        for at, record in enumerate(records):
            given = None if record.content is None else next(lines)
            tasks += [Task(at, record, None, given)] if given else self._encode_one(at, record)
        return tasks

    def _have_keys(self, records: Sequence[Record]) -> bool:
        """Whether all keys were seen to be as they have to be at once; else each is to be looked at."""
        is_uuid = self._mapped.kind.field("id").type is FieldType.UUID
        return is_uuid and None not in uuids([record.key for record in records])

    def _encode(self, records: Sequence[Record]) -> list[Task]:
        """Make rows of what fits, refuse the rest. Raises InvalidRecordError for what is no record at all."""
        return [task for at, record in enumerate(records) for task in self._encode_one(at, record)]

    def _encode_one(self, at: int, record: Record) -> list[Task]:
        try:
            return [Task(at, record, self._rows(record))]
        except NotRepresentableError as error:
            self._outcomes[at] = Refused(error)
            return []

    def _rows(self, record: Record) -> Rows | None:
        kind, key, content = self._mapped.kind, record.key, record.content
        kind.check_key(key)
        if content is None:
            return None
        try:
            rows = self._mapped.codec.encode(key, content)
        except Exception:
            # What is no record may fail in any way, and is to be called what it is.
            kind.check(key, content)
            raise
        if not rows.is_plain:
            kind.check(key, content)
        return rows

    def _rows_of(self, task: Task) -> Rows:
        """The rows of a living record, which may have come as lines."""
        if task.rows is None:
            task.rows = self._mapped.codec.encode(task.record.key, task.record.content or {})
        return task.rows

    def _lines_of(self, task: Task) -> Lines:
        return task.lines or self._mapped.codec.lines(self._rows_of(task), task.record.version)

    # -- a few ---------------------------------------------------------------------------------------

    async def _apply_few(self, tasks: Sequence[Task]) -> None:
        if len(tasks) == 1 and await self._is_next(tasks[0]):
            self._outcomes[tasks[0].at] = Applied()
            return
        held = await self._mapped.look_up(self._connections, [task.record.key for task in tasks])
        met: set[str] = set()
        for task in tasks:
            key = task.record.key
            is_first = key not in met
            met.add(key)
            self._outcomes[task.at] = await self._apply_one(task, held.get(key), is_known=is_first)

    async def _is_next(self, task: Task) -> bool:
        """Write a record that is just the next version of what is here, as one that comes alone mostly is.

        Saves the look at what is here, for which a writer that brings its own write over would wait.
        """
        if task.is_stone:
            return False
        before = task.record.version - 1
        held = Record(task.record.key, before, {}) if before else None
        try:
            return await self._write_one(task, self._rows_of(task), held)
        except asyncpg.PostgresError as error:
            if not is_refusal(error):
                raise
            # Whether it is refused, or was only met by another, is found out the long way.
            return False

    async def _apply_one(self, task: Task, held: Record | None, *, is_known: bool) -> Outcome:
        for _ in range(_TRIES):
            if not is_known:
                held = (await self._mapped.look_up(self._connections, [task.record.key])).get(task.record.key)
            if (outcome := judge(task.record, held)) is not None:
                return outcome
            if task.is_stone:
                await self._apply_batch([task], None)
                return self._outcomes[task.at]
            try:
                if await self._write_one(task, self._rows_of(task), held):
                    return Applied()
            except asyncpg.PostgresError as error:
                if not is_refusal(error):
                    raise
                # Two who create one record may meet at another constraint than its key: look again.
                now = (await self._mapped.look_up(self._connections, [task.record.key])).get(task.record.key)
                if (now and now.version) == (held and held.version):
                    return self._refused(task, error)
            is_known = False
        raise UnavailableError(
            subject=f"{self._mapped.kind.name}/{task.record.key}", reason="others keep changing it"
        )

    async def _write_one(self, task: Task, rows: Rows, held: Record | None) -> bool:
        single, layout, version = self._mapped.single, self._mapped.layout, task.record.version
        written: int | None
        if held is None or held.content is None:
            actions = actions_for_new(rows)
            arguments = arguments_of_one(layout, rows, version, actions)
            written = await self._connections.value(single.insert("apply", actions), *arguments)
        else:
            actions = actions_for_next(rows)
            arguments = [*arguments_of_one(layout, rows, version, actions), held.version]
            written = await self._connections.value(single.update("apply", actions), *arguments)
        return written is not None

    # -- many ----------------------------------------------------------------------------------------

    async def _apply_batch(self, tasks: Sequence[Task], note: Note | None) -> None:
        async def run_whole(connection: Any) -> list[Task]:
            async with connection.transaction():
                lost = await self._enter_and_merge(connection, tasks)
                if note is not None:
                    await store_note(connection, note)
            return lost

        async def run_halved(connection: Any) -> list[Task]:
            async with connection.transaction():
                await self._enter(connection, tasks)
                lost = await self._merge_halving(connection, tasks)
                if note is not None:
                    await store_note(connection, note)
            return lost

        try:
            lost = await self._connections.repeat(run_whole)
        except asyncpg.PostgresError as error:
            if not is_refusal(error):
                raise
            lost = await self._connections.repeat(run_halved)
        await self._judge_lost(lost)

    async def _enter(self, connection: Any, tasks: Sequence[Task]) -> None:
        has_stones = any(task.is_stone for task in tasks)
        patience = f"{self._connections.timeout * 1000:.0f}"
        await connection.execute(_ENTER, self._mapped.kind.name, has_stones, patience)

    async def _enter_and_merge(self, connection: Any, tasks: Sequence[Task]) -> list[Task]:
        await self._enter(connection, tasks)
        return await self._merge(connection, tasks)

    async def _merge_halving(self, connection: Any, tasks: Sequence[Task]) -> list[Task]:
        try:
            async with connection.transaction():
                return await self._merge(connection, tasks, is_disputed=True)
        except asyncpg.PostgresError as error:
            if not is_refusal(error):
                raise
            if len(tasks) == 1:
                self._outcomes[tasks[0].at] = self._refused(tasks[0], error)
                return []
        rest = await self._set_culprits_aside(connection, tasks)
        # Where some were found, they may have been all of them.
        parts = [rest] if len(rest) < len(tasks) else [tasks[: len(tasks) // 2], tasks[len(tasks) // 2 :]]
        return [task for part in parts if part for task in await self._merge_halving(connection, part)]

    async def _set_culprits_aside(self, connection: Any, tasks: Sequence[Task]) -> list[Task]:
        living = [task for task in tasks if not task.is_stone]
        suspects = [Suspect(_key_of(task), task.record.version, self._rows_of(task)) for task in living]
        found = await self._mapped.culprits.find(connection, suspects)
        rest = []
        for task in tasks:
            refusal = None if task.is_stone else found.get(task.record.key)
            if refusal is None:
                rest.append(task)
            else:
                self._outcomes[task.at] = Refused(refusal)
        return rest

    async def _merge(
        self, connection: Any, tasks: Sequence[Task], *, is_disputed: bool = False
    ) -> list[Task]:
        """Bring in what is newer; returns the tasks that are not."""
        stones = [task for task in tasks if task.is_stone]
        # By key, so that two who merge the same records lock them in the same order.
        records = sorted((task for task in tasks if not task.is_stone), key=_key_of)
        won: set[str] = set()
        if stones:
            won |= await self._bury(connection, stones)
        if records:
            won |= await self._bring_in(connection, records, is_disputed=is_disputed)
        lost = []
        for task in tasks:
            if task.record.key in won:
                self._outcomes[task.at] = Applied()
            else:
                lost.append(task)
        return lost

    async def _bury(self, connection: Any, stones: Sequence[Task]) -> set[str]:
        merging = self._mapped.merging
        keys, versions = [_key_of(task) for task in stones], [task.record.version for task in stones]
        await connection.execute(merging.bury_root, keys, versions)
        return {row[0] for row in await connection.fetch(merging.bury_stones, keys, versions)}

    async def _bring_in(self, connection: Any, tasks: Sequence[Task], *, is_disputed: bool) -> set[str]:
        """Copy what has never been here, merge what has; returns the keys that won.

        Copying is a quarter cheaper. Whoever creates one of these records meanwhile makes it fail; then,
        and wherever records are `is_disputed`, all are merged.
        """
        merging = self._mapped.merging
        versions = {task.record.key: task.record.version for task in tasks}
        known = set(versions)
        if not is_disputed:
            known = {row[0] for row in await connection.fetch(merging.known, list(versions))}
        won = versions.keys() - known
        new = [task for task in tasks if task.record.key in won]
        old = [task for task in tasks if task.record.key in known]
        if new:
            await self._copy(connection, new)
        if old:
            won |= await self._merge_records(connection, old)
        for key, version in await connection.fetch(merging.unearth, list(won)):
            if version >= versions[key]:
                # Somebody deleted the row by hand while ours waited to replace it.
                raise asyncpg.SerializationError(f"record {key} was deleted meanwhile")
        return won

    async def _copy(self, connection: Any, tasks: Sequence[Task]) -> None:
        lines = [self._lines_of(task) for task in tasks]
        for target, text in copied_lines(self._mapped.layout, lines):
            if text:
                # A view, because plain bytes would be the path of a file to the driver.
                await connection.copy_to_table(
                    target.name,
                    schema_name=target.schema,
                    columns=target.columns,
                    source=memoryview(text),
                    format="text",
                )

    async def _merge_records(self, connection: Any, tasks: Sequence[Task]) -> set[str]:
        layout, merging = self._mapped.layout, self._mapped.merging
        rows = [self._rows_of(task) for task in tasks]
        versions = [task.record.version for task in tasks]
        merged = await connection.fetch(merging.root, *arguments_of_root(layout, rows, versions))
        is_new = {row[0]: row[1] for row in merged}
        winners = [each for each in rows if each.root[0] in is_new]
        changed = [each for each in winners if not is_new[each.root[0]]]
        for at in range(len(layout.parts)):
            if changed:
                await connection.execute(merging.clear[at], *arguments_of_clear(layout, at, changed))
            if arguments := arguments_of_part(layout, at, winners):
                await connection.execute(merging.parts[at], *arguments)
        return set(is_new)

    # -- verdicts ------------------------------------------------------------------------------------

    def _refused(self, task: Task, error: asyncpg.PostgresError) -> Refused:
        content = task.record.content or {}
        return Refused(self._mapped.refusals.refusal(task.record.key, content, error))

    async def _judge_lost(self, lost: Sequence[Task]) -> None:
        """Tell apart what the copy already has, what it has newer, and what it has otherwise."""
        held = await self._mapped.look_up(self._connections, [_key_of(task) for task in lost])
        for task in lost:
            now = held.get(task.record.key)
            outcome = judge(task.record, now)
            if outcome is None:
                # What beat it is gone or went back since, by another hand: apply it to what is there now.
                outcome = await self._apply_one(task, now, is_known=True)
            self._outcomes[task.at] = outcome


def _key_of(task: Task) -> str:
    return task.record.key


def judge(record: Record, held: Record | None) -> Outcome | None:
    """The outcome, if what is held settles it; None if the record is newer."""
    if held is None or held.version < record.version:
        return None
    if held.version > record.version:
        return Ignored(held.version)
    is_same = canonical(held.content) == canonical(record.content)
    return Ignored(held.version) if is_same else Diverged(held.version)


def _batches(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """Batches in order, none of which has two versions of one record."""
    batch: list[Task] = []
    keys: set[str] = set()
    for task in tasks:
        if len(batch) == BATCH or task.record.key in keys:
            yield batch
            batch, keys = [], set()
        batch.append(task)
        keys.add(task.record.key)
    if batch:
        yield batch
