"""Steps of the schema beside running writes: whoever writes accounts waits for none of them for long."""

import asyncpg

from mystira.schema.upgrades import downgrade, upgrade
from tests.acceptance.migrated import Connection, empty_url

__all__ = ["empty_url"]

_WATCH = """
create table watched (place bigint generated always as identity, tag text, stops_writes boolean);
create function watch() returns event_trigger language plpgsql as $$
begin
    insert into watched (tag, stops_writes)
    select tg_tag, exists (
        select from pg_locks
        where pid = pg_backend_pid() and relation in ('accounts'::regclass, 'user_profiles'::regclass)
          and mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    );
end $$;
create event trigger watch on ddl_command_end execute function watch()
"""


async def _watched(connection: Connection) -> list[tuple[str, bool]]:
    rows = await connection.fetch("select tag, stops_writes from watched order by place")
    await connection.execute("delete from watched")
    return [(row["tag"], row["stops_writes"]) for row in rows]


async def test_later_steps_hold_up_nobody_who_writes_accounts_or_profiles(empty_url: str) -> None:
    """From the game's tables to the newest revision and back, neither table is locked against writers."""
    await upgrade(empty_url, "0002")
    connection = await asyncpg.connect(empty_url)
    try:
        await connection.execute(_WATCH)
        await upgrade(empty_url)
        await downgrade(empty_url, "0002")
        steps = await _watched(connection)
        assert steps
        assert [tag for tag, stops in steps if stops] == []
    finally:
        await connection.close()


async def test_the_games_tables_hold_up_writers_at_the_very_end_alone(empty_url: str) -> None:
    """Of dozens of commands only the last few, which tie tables to accounts or untie them, stop writes."""
    await upgrade(empty_url, "0001")
    connection = await asyncpg.connect(empty_url)
    try:
        await connection.execute(_WATCH)
        await upgrade(empty_url, "0002")
        up = await _watched(connection)
        assert up[-2:] == [("ALTER TABLE", True)] * 2
        assert [tag for tag, stops in up[:-2] if stops] == []
        assert len(up) > 60
        await downgrade(empty_url, "0001")
        down = await _watched(connection)
        assert down[-2:] == [("DROP TABLE", True)] * 2
        assert [tag for tag, stops in down[:-2] if stops] == []
    finally:
        await connection.close()
