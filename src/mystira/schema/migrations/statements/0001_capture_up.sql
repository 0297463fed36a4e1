create or replace function manystore."accounts_before"() returns trigger
language plpgsql as $$
declare
    buried bigint;
begin
    if tg_op = 'INSERT' then
        select version into buried from manystore.tombstones where kind = 'accounts' and key = new."id"::text;
        new.version := greatest(new.version, buried + 1, 1);
    elsif new."id" <> old."id" then
        raise exception 'the key of a record does not change; delete it and insert another'
            using errcode = 'feature_not_supported';
    elsif not manystore.is_echo('accounts') then
        new.version := greatest(new.version, old.version + 1);
    end if;
    return new;
end $$
--;
create or replace function manystore."accounts_after"() returns trigger
language plpgsql as $$
declare
    buried bigint;
    its_key text;
    its_version bigint;
begin
    if tg_op <> 'INSERT' and manystore.is_echo('accounts') then
        return null;
    end if;
    if tg_op = 'DELETE' then
        its_key := old."id"::text;
        its_version := greatest(old.version, nullif(current_setting('manystore.above', true), '')::bigint) + 1;
        insert into manystore.tombstones as stone (kind, key, version) values ('accounts', its_key, its_version)
        on conflict (kind, key) do update set version = greatest(stone.version, excluded.version);
    else
        its_key := new."id"::text;
        its_version := new.version;
    end if;
    if tg_op = 'INSERT' then
        delete from manystore.tombstones where kind = 'accounts' and key = its_key
        returning version into buried;
        if buried >= its_version then
            raise exception 'record % was deleted meanwhile; repeat the insert', its_key
                using errcode = 'serialization_failure';
        end if;
    end if;
    insert into manystore.change_log (kind, key, version) values ('accounts', its_key, its_version);
    if coalesce(current_setting('manystore.mode', true), '') = '' then
        perform manystore.keep_rogue(
            'accounts', its_key, its_version, tg_table_name, tg_op, to_jsonb(coalesce(new, old))
        );
    end if;
    return null;
end $$
--;
create or replace trigger manystore_before before insert or update on "accounts" for each row when (current_setting('manystore.mode', true) is distinct from 'copy accounts') execute function manystore."accounts_before"()
--;
create or replace trigger manystore_after after insert or update or delete on "accounts" for each row when (current_setting('manystore.mode', true) is distinct from 'copy accounts') execute function manystore."accounts_after"()
--;
create index if not exists "accounts_masked" on "accounts" using gin ((string_to_array(split_part(split_part(residue, '["', 2), '"]', 1), '","'))) where residue like '{"!":%'
--;
create or replace function manystore."accounts_part_subscription"() returns trigger
language plpgsql as $$
begin
    update "accounts" set version = version + 1
    where "id" in (
        case when tg_op <> 'INSERT' then old."account_id" end, case when tg_op <> 'DELETE' then new."account_id" end
    ) and xmin <> pg_current_xact_id()::xid;
    if coalesce(current_setting('manystore.mode', true), '') = '' then
        perform manystore.keep_rogue(
            'accounts', t."id"::text, t.version, tg_table_name, tg_op, to_jsonb(coalesce(new, old))
        ) from "accounts" t where t."id" = coalesce(new."account_id", old."account_id");
    end if;
    return null;
end $$
--;
create or replace trigger manystore_part after insert or update or delete on "subscriptions" for each row when (coalesce(current_setting('manystore.mode', true), '') not in ('copy accounts', 'put accounts')) execute function manystore."accounts_part_subscription"()
--;
create or replace function manystore."accounts_part_completedScenarioIds"() returns trigger
language plpgsql as $$
begin
    update "accounts" set version = version + 1
    where "id" in (
        case when tg_op <> 'INSERT' then old."account_id" end, case when tg_op <> 'DELETE' then new."account_id" end
    ) and xmin <> pg_current_xact_id()::xid;
    if coalesce(current_setting('manystore.mode', true), '') = '' then
        perform manystore.keep_rogue(
            'accounts', t."id"::text, t.version, tg_table_name, tg_op, to_jsonb(coalesce(new, old))
        ) from "accounts" t where t."id" = coalesce(new."account_id", old."account_id");
    end if;
    return null;
end $$
--;
create or replace trigger manystore_part after insert or update or delete on "completed_scenarios" for each row when (coalesce(current_setting('manystore.mode', true), '') not in ('copy accounts', 'put accounts')) execute function manystore."accounts_part_completedScenarioIds"()
--;
create or replace trigger manystore_no_truncate before truncate on "accounts" for each statement execute function manystore.refuse_truncate()
--;
create or replace trigger manystore_no_truncate before truncate on "subscriptions" for each statement execute function manystore.refuse_truncate()
--;
create or replace trigger manystore_no_truncate before truncate on "completed_scenarios" for each statement execute function manystore.refuse_truncate()
--;
create or replace function manystore."user_profiles_before"() returns trigger
language plpgsql as $$
declare
    buried bigint;
begin
    if tg_op = 'INSERT' then
        select version into buried from manystore.tombstones where kind = 'user_profiles' and key = new."id"::text;
        new.version := greatest(new.version, buried + 1, 1);
    elsif new."id" <> old."id" then
        raise exception 'the key of a record does not change; delete it and insert another'
            using errcode = 'feature_not_supported';
    elsif not manystore.is_echo('user_profiles') then
        new.version := greatest(new.version, old.version + 1);
    end if;
    return new;
end $$
--;
create or replace function manystore."user_profiles_after"() returns trigger
language plpgsql as $$
declare
    buried bigint;
    its_key text;
    its_version bigint;
begin
    if tg_op <> 'INSERT' and manystore.is_echo('user_profiles') then
        return null;
    end if;
    if tg_op = 'DELETE' then
        its_key := old."id"::text;
        its_version := greatest(old.version, nullif(current_setting('manystore.above', true), '')::bigint) + 1;
        insert into manystore.tombstones as stone (kind, key, version) values ('user_profiles', its_key, its_version)
        on conflict (kind, key) do update set version = greatest(stone.version, excluded.version);
    else
        its_key := new."id"::text;
        its_version := new.version;
    end if;
    if tg_op = 'INSERT' then
        delete from manystore.tombstones where kind = 'user_profiles' and key = its_key
        returning version into buried;
        if buried >= its_version then
            raise exception 'record % was deleted meanwhile; repeat the insert', its_key
                using errcode = 'serialization_failure';
        end if;
    end if;
    insert into manystore.change_log (kind, key, version) values ('user_profiles', its_key, its_version);
    if coalesce(current_setting('manystore.mode', true), '') = '' then
        perform manystore.keep_rogue(
            'user_profiles', its_key, its_version, tg_table_name, tg_op, to_jsonb(coalesce(new, old))
        );
    end if;
    return null;
end $$
--;
create or replace trigger manystore_before before insert or update on "user_profiles" for each row when (current_setting('manystore.mode', true) is distinct from 'copy user_profiles') execute function manystore."user_profiles_before"()
--;
create or replace trigger manystore_after after insert or update or delete on "user_profiles" for each row when (current_setting('manystore.mode', true) is distinct from 'copy user_profiles') execute function manystore."user_profiles_after"()
--;
create index if not exists "user_profiles_masked" on "user_profiles" using gin ((string_to_array(split_part(split_part(residue, '["', 2), '"]', 1), '","'))) where residue like '{"!":%'
--;
create or replace function manystore."user_profiles_part_earnedBadges"() returns trigger
language plpgsql as $$
begin
    update "user_profiles" set version = version + 1
    where "id" in (
        case when tg_op <> 'INSERT' then old."user_profile_id" end, case when tg_op <> 'DELETE' then new."user_profile_id" end
    ) and xmin <> pg_current_xact_id()::xid;
    if coalesce(current_setting('manystore.mode', true), '') = '' then
        perform manystore.keep_rogue(
            'user_profiles', t."id"::text, t.version, tg_table_name, tg_op, to_jsonb(coalesce(new, old))
        ) from "user_profiles" t where t."id" = coalesce(new."user_profile_id", old."user_profile_id");
    end if;
    return null;
end $$
--;
create or replace trigger manystore_part after insert or update or delete on "user_badges" for each row when (coalesce(current_setting('manystore.mode', true), '') not in ('copy user_profiles', 'put user_profiles')) execute function manystore."user_profiles_part_earnedBadges"()
--;
create or replace trigger manystore_no_truncate before truncate on "user_profiles" for each statement execute function manystore.refuse_truncate()
--;
create or replace trigger manystore_no_truncate before truncate on "user_badges" for each statement execute function manystore.refuse_truncate()
