"""The engine's own objects in PostgreSQL: its schema, and the triggers by which no change goes unseen.

`control_statements` makes the schema `manystore`; the store runs them when it opens, and a product's
migrations run them first, because triggers refer to it. `capture_triggers` hangs the capture on the tables
of one mapping, and belongs into the migration that makes those tables. All are plain SQL, each statement
may be run again, and they must run in one transaction.

Three sorts of writer change a table, told apart by `manystore.mode`, a setting that ends with its
transaction (so a pooler between us and the server does no harm):

- the engine as the **truth**: `manystore.enter` has checked the epoch and set the mode to `put <kind>`. The
  write gives the root its new version; the triggers see to tombstones and to the log.
- the engine as a **copy**: the mode is `copy <kind>`, and the triggers of that kind stand aside, which is
  decided in their WHEN clause and costs next to nothing. Those of other kinds look whose truth this is:
  where an account goes and `on delete set null` reaches into a profile, the profile has changed if its
  truth is here, and its own change is on its way if it is elsewhere (`is_echo`).
- **anyone else** (psql, a report's repair, a foreign key's action): the triggers raise the root's version
  if the statement did not, leave a tombstone for what is deleted, let a change of a part raise its root, and
  log it all. TRUNCATE, which no row trigger sees, is refused. Where the fence does not admit writes of the
  kind, such a write is a rogue, and kept with what it wrote as well.
"""

from typing import Final

from manystore.stores.postgres.mapping import RESIDUE, VERSION, Mapping, Part
from manystore.stores.postgres.quoting import literal, quoted, quoted_table

RELEASE: Final = 4
"""Raised whenever `control_statements` changes, so that an opening store knows whether to run them."""

STALE_EPOCH: Final = "MS001"
"""The SQLSTATE by which `manystore.enter` refuses; its DETAIL is JSON {epoch, admits}."""

LOCK_SPACE: Final = 0x6D616E79
"""First half of every advisory lock of the engine; the second is a hash of the kind's name."""

ABOVE: Final = "manystore.above"
"""A setting of the transaction: the version that the tombstone of a record deleted in it has to pass."""

COPY_LOCK_SPACE: Final = LOCK_SPACE + 1
"""The same for those who write as a copy; writers of the truth do not wait for them, nor they for those."""

MASK_MARK: Final = '{"!":'
"""How a residue begins that masks columns: canonical JSON sorts `!` before any name."""


def masked_fields(alias: str) -> str:
    """SQL for the fields (text[]) whose columns do not say what the record says; see the codec."""
    return f"string_to_array(split_part(split_part({alias}, '[\"', 2), '\"]', 1), '\",\"')"


_TABLES: Final = """
create table if not exists manystore.release (number integer not null);

create table if not exists manystore.fences (
    kind text primary key,
    epoch bigint not null,
    admits boolean not null,
    body bytea not null
);

create table if not exists manystore.notes (
    name text collate "C" primary key,
    value bytea not null,
    revision bigint not null
);

create table if not exists manystore.tombstones (
    kind text collate "C" not null,
    key text collate "C" not null,
    version bigint not null,
    deleted_at timestamptz not null default now(),
    primary key (kind, key)
);

create table if not exists manystore.change_log (
    kind text collate "C" not null,
    xid xid8 not null default pg_current_xact_id(),
    seq bigint not null generated always as identity,
    key text collate "C" not null,
    version bigint not null,
    at timestamptz not null default now(),
    primary key (kind, xid, seq)
);

create table if not exists manystore.rogue_writes (
    kind text collate "C" not null,
    key text collate "C" not null,
    version bigint not null,
    found_at timestamptz not null default clock_timestamp(),
    evidence jsonb not null,
    made_by text not null,
    primary key (kind, key, version)
)
"""

# The lock comes before the look at the fence, and the look is a statement of its own: in a volatile function
# it gets a snapshot taken after the lock was granted, so it sees the fence that its last holder left.
_ENTER: Final = f"""
create or replace function manystore.enter(wanted_kind text, wanted_epoch bigint) returns boolean
language plpgsql volatile as $$
declare
    present record;
begin
    perform pg_advisory_xact_lock_shared({LOCK_SPACE}, hashtext(wanted_kind));
    select epoch, admits into present from manystore.fences where kind = wanted_kind;
    if present.epoch is distinct from wanted_epoch or not present.admits then
        raise exception using
            errcode = '{STALE_EPOCH}',
            message = format('writes of %s are not taken under epoch %s', wanted_kind, wanted_epoch),
            detail = json_build_object('epoch', present.epoch, 'admits', coalesce(present.admits, false));
    end if;
    perform set_config('manystore.mode', 'put ' || wanted_kind, true);
    return true;
end $$
"""

# A copy that brings a tombstone must not pass one that brings an older state of the same record: neither
# would see the other, and the deleted would live. So tombstones come alone (exclusive), records together.
#
# While a copy fills empty tables, plans are made (and kept by the session, those of foreign keys as well)
# when there is next to nothing in them, and then each look at a key reads all that has come since. All that
# a copy asks for is by key, so it is told to use the index from the first row on.
_ENTER_COPY: Final = f"""
create or replace function manystore.enter_copy(wanted_kind text, is_alone boolean) returns boolean
language plpgsql volatile as $$
begin
    if is_alone then
        perform pg_advisory_xact_lock({COPY_LOCK_SPACE}, hashtext(wanted_kind));
    else
        perform pg_advisory_xact_lock_shared({COPY_LOCK_SPACE}, hashtext(wanted_kind));
    end if;
    perform set_config('manystore.mode', 'copy ' || wanted_kind, true);
    perform set_config('enable_seqscan', 'off', true);
    return true;
end $$
"""

# The same for one record within one statement, whose own snapshot is older than the lock: whether the key
# has a tombstone that outlives this version is asked here, where snapshots are fresh.
_ADMIT_COPY: Final = """
create or replace function manystore.admit_copy(wanted_kind text, wanted_key text, wanted_version bigint)
returns boolean
language plpgsql volatile as $$
begin
    perform manystore.enter_copy(wanted_kind, false);
    delete from manystore.tombstones
    where kind = wanted_kind and key = wanted_key and version < wanted_version;
    return not exists (select from manystore.tombstones where kind = wanted_kind and key = wanted_key);
end $$
"""

# Every writer that entered holds the lock in shared mode until its transaction ends, so whoever holds it
# alone knows that all of them have been accepted or refused.
_RAISE_FENCE: Final = f"""
create or replace function manystore.raise_fence(
    wanted_kind text, expected bigint, next_epoch bigint, next_admits boolean, next_body bytea
) returns boolean
language plpgsql volatile as $$
begin
    perform pg_advisory_xact_lock({LOCK_SPACE}, hashtext(wanted_kind));
    if expected is null then
        insert into manystore.fences (kind, epoch, admits, body)
        values (wanted_kind, next_epoch, next_admits, next_body)
        on conflict (kind) do nothing;
    else
        update manystore.fences set epoch = next_epoch, admits = next_admits, body = next_body
        where kind = wanted_kind and epoch = expected;
    end if;
    return found;
end $$
"""

# What an action of a foreign key does in a transaction of the engine's own is no rogue write, so the mode is
# asked first. Several statements of one transaction share a version, and their evidence is put together.
_KEEP_ROGUE: Final = """
create or replace function manystore.keep_rogue(
    its_kind text, its_key text, its_version bigint, its_table text, operation text, written jsonb
) returns void
language plpgsql volatile as $$
begin
    if coalesce(current_setting('manystore.mode', true), '') <> ''
        or not exists (select from manystore.fences where kind = its_kind and not admits)
    then
        return;
    end if;
    insert into manystore.rogue_writes as rogue (kind, key, version, evidence, made_by)
    values (
        its_kind, its_key, its_version,
        jsonb_build_array(jsonb_build_object('table', its_table, 'operation', operation, 'row', written)),
        concat_ws(' ', session_user, nullif(current_setting('application_name'), ''), inet_client_addr())
    )
    on conflict (kind, key, version) do update set evidence = rogue.evidence || excluded.evidence;
end $$
"""

# Where the engine writes one kind, a foreign key's action may reach into another. If that other kind has its
# truth elsewhere, its own change is on its way from there with a version of its own: raising the version here
# would make the copy look ahead, and contradict that change when it arrives.
_IS_ECHO: Final = """
create or replace function manystore.is_echo(its_kind text) returns boolean
language sql stable as $$
    select coalesce(current_setting('manystore.mode', true), '')
               not in ('', 'put ' || its_kind, 'copy ' || its_kind)
       and exists (select from manystore.fences where kind = its_kind and not admits)
$$
"""

_REFUSE_TRUNCATE: Final = """
create or replace function manystore.refuse_truncate() returns trigger
language plpgsql as $$
begin
    raise exception 'truncating % would lose changes unseen; delete its rows instead', tg_relid::regclass
        using errcode = 'feature_not_supported';
end $$
"""


def control_statements() -> list[str]:
    """Make the engine's schema, or bring it to this release; safe when several processes do so at once."""
    return [
        f"select pg_advisory_xact_lock({LOCK_SPACE}, 0)",
        "create schema if not exists manystore",
        *(statement.strip() for statement in _TABLES.split(";")),
        _ENTER.strip(),
        _ENTER_COPY.strip(),
        _ADMIT_COPY.strip(),
        _RAISE_FENCE.strip(),
        _KEEP_ROGUE.strip(),
        _IS_ECHO.strip(),
        _REFUSE_TRUNCATE.strip(),
        "delete from manystore.release",
        f"insert into manystore.release (number) values ({RELEASE})",
    ]


def capture_triggers(mapping: Mapping) -> list[str]:
    """Hang the capture on the tables of a mapping, and the index by which `find` looks behind masks."""
    kind, root = mapping.kind.name, quoted_table(mapping.table)
    before, after = _function(mapping, "before"), _function(mapping, "after")
    is_seen = f"when (current_setting('manystore.mode', true) is distinct from {literal('copy ' + kind)})"
    statements = [
        _before_function(mapping),
        _after_function(mapping),
        f"create or replace trigger manystore_before before insert or update on {root} "
        f"for each row {is_seen} execute function {before}()",
        f"create or replace trigger manystore_after after insert or update or delete on {root} "
        f"for each row {is_seen} execute function {after}()",
        f"create index if not exists {quoted(_mask_index(mapping))} on {root} "
        f"using gin (({masked_fields(RESIDUE)})) where {RESIDUE} like {literal(MASK_MARK + '%')}",
    ]
    for part in mapping.parts:
        statements += _part_triggers(mapping, part)
    statements += [
        f"create or replace trigger manystore_no_truncate before truncate on {quoted_table(table)} "
        "for each statement execute function manystore.refuse_truncate()"
        for table in mapping.tables()
    ]
    return statements


def drop_capture_triggers(mapping: Mapping) -> list[str]:
    """Undo `capture_triggers`; changes made from then on are lost to every follower."""
    statements = [
        f"drop trigger if exists {name} on {quoted_table(table)}"
        for table in mapping.tables()
        for name in ("manystore_before", "manystore_after", "manystore_part", "manystore_no_truncate")
    ]
    schema = f"{quoted(mapping.table.schema)}." if mapping.table.schema else ""
    statements.append(f"drop index if exists {schema}{quoted(_mask_index(mapping))}")
    names = ["before", "after", *(f"part_{part.property}" for part in mapping.parts)]
    return [*statements, *(f"drop function if exists {_function(mapping, name)}()" for name in names)]


def _function(mapping: Mapping, role: str) -> str:
    return f"manystore.{quoted(f'{mapping.kind.name}_{role}')}"


def _mask_index(mapping: Mapping) -> str:
    return f"{mapping.table.name}_masked"


def _before_function(mapping: Mapping) -> str:
    """Versions: above a tombstone's where the key comes back, raised by one where the statement forgot."""
    kind, key = literal(mapping.kind.name), quoted(mapping.key_column)
    return f"""
create or replace function {_function(mapping, "before")}() returns trigger
language plpgsql as $$
declare
    buried bigint;
begin
    if tg_op = 'INSERT' then
        select version into buried from manystore.tombstones where kind = {kind} and key = new.{key}::text;
        new.{VERSION} := greatest(new.{VERSION}, buried + 1, 1);
    elsif new.{key} <> old.{key} then
        raise exception 'the key of a record does not change; delete it and insert another'
            using errcode = 'feature_not_supported';
    elsif not manystore.is_echo({kind}) then
        new.{VERSION} := greatest(new.{VERSION}, old.{VERSION} + 1);
    end if;
    return new;
end $$""".strip()


def _after_function(mapping: Mapping) -> str:
    """Tombstones, the log, and evidence of what was not to be written here.

    An insert may have waited for the delete of the same key to commit, which its `before` could not see: the
    second look at the tombstone is what keeps versions rising. Such an insert is refused as a serialization
    failure, and whoever repeats it gets a version above the tombstone's.
    """
    kind, key = literal(mapping.kind.name), quoted(mapping.key_column)
    return f"""
create or replace function {_function(mapping, "after")}() returns trigger
language plpgsql as $$
declare
    buried bigint;
    its_key text;
    its_version bigint;
begin
    if tg_op <> 'INSERT' and manystore.is_echo({kind}) then
        return null;
    end if;
    if tg_op = 'DELETE' then
        its_key := old.{key}::text;
        its_version := greatest(old.{VERSION}, nullif(current_setting('{ABOVE}', true), '')::bigint) + 1;
        insert into manystore.tombstones as stone (kind, key, version) values ({kind}, its_key, its_version)
        on conflict (kind, key) do update set version = greatest(stone.version, excluded.version);
    else
        its_key := new.{key}::text;
        its_version := new.{VERSION};
    end if;
    if tg_op = 'INSERT' then
        delete from manystore.tombstones where kind = {kind} and key = its_key
        returning version into buried;
        if buried >= its_version then
            raise exception 'record % was deleted meanwhile; repeat the insert', its_key
                using errcode = 'serialization_failure';
        end if;
    end if;
    insert into manystore.change_log (kind, key, version) values ({kind}, its_key, its_version);
    if coalesce(current_setting('manystore.mode', true), '') = '' then
        perform manystore.keep_rogue(
            {kind}, its_key, its_version, tg_table_name, tg_op, to_jsonb(coalesce(new, old))
        );
    end if;
    return null;
end $$""".strip()


def _part_triggers(mapping: Mapping, part: Part) -> list[str]:
    """A part changed by anyone but the engine is a change of its root, counted once a transaction.

    A root row that this transaction wrote carries its number as xmin, and has its new version already.
    """
    kind, function = mapping.kind.name, _function(mapping, f"part_{part.property}")
    root, key, parent = quoted_table(mapping.table), quoted(mapping.key_column), quoted(part.parent)
    mode = "coalesce(current_setting('manystore.mode', true), '')"
    modes = f"{literal('copy ' + kind)}, {literal('put ' + kind)}"
    return [
        f"""
create or replace function {function}() returns trigger
language plpgsql as $$
begin
    update {root} set {VERSION} = {VERSION} + 1
    where {key} in (
        case when tg_op <> 'INSERT' then old.{parent} end, case when tg_op <> 'DELETE' then new.{parent} end
    ) and xmin <> pg_current_xact_id()::xid;
    if coalesce(current_setting('manystore.mode', true), '') = '' then
        perform manystore.keep_rogue(
            {literal(kind)}, t.{key}::text, t.{VERSION}, tg_table_name, tg_op, to_jsonb(coalesce(new, old))
        ) from {root} t where t.{key} = coalesce(new.{parent}, old.{parent});
    end if;
    return null;
end $$""".strip(),
        f"create or replace trigger manystore_part after insert or update or delete "
        f"on {quoted_table(part.table)} for each row when ({mode} not in ({modes})) "
        f"execute function {function}()",
    ]
