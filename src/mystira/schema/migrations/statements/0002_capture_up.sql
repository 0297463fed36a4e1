create or replace function manystore."game_sessions_before"() returns trigger
language plpgsql as $$
declare
    buried bigint;
begin
    if tg_op = 'INSERT' then
        select version into buried from manystore.tombstones where kind = 'game_sessions' and key = new."id"::text;
        new.version := greatest(new.version, buried + 1, 1);
    elsif new."id" <> old."id" then
        raise exception 'the key of a record does not change; delete it and insert another'
            using errcode = 'feature_not_supported';
    elsif not manystore.is_echo('game_sessions') then
        new.version := greatest(new.version, old.version + 1);
    end if;
    return new;
end $$
--;
create or replace function manystore."game_sessions_after"() returns trigger
language plpgsql as $$
declare
    buried bigint;
    its_key text;
    its_version bigint;
begin
    if tg_op <> 'INSERT' and manystore.is_echo('game_sessions') then
        return null;
    end if;
    if tg_op = 'DELETE' then
        its_key := old."id"::text;
        its_version := greatest(old.version, nullif(current_setting('manystore.above', true), '')::bigint) + 1;
        insert into manystore.tombstones as stone (kind, key, version) values ('game_sessions', its_key, its_version)
        on conflict (kind, key) do update set version = greatest(stone.version, excluded.version);
    else
        its_key := new."id"::text;
        its_version := new.version;
    end if;
    if tg_op = 'INSERT' then
        delete from manystore.tombstones where kind = 'game_sessions' and key = its_key
        returning version into buried;
        if buried >= its_version then
            raise exception 'record % was deleted meanwhile; repeat the insert', its_key
                using errcode = 'serialization_failure';
        end if;
    end if;
    insert into manystore.change_log (kind, key, version) values ('game_sessions', its_key, its_version);
    if coalesce(current_setting('manystore.mode', true), '') = '' then
        perform manystore.keep_rogue(
            'game_sessions', its_key, its_version, tg_table_name, tg_op, to_jsonb(coalesce(new, old))
        );
    end if;
    return null;
end $$
--;
create or replace trigger manystore_before before insert or update on "game_sessions" for each row when (current_setting('manystore.mode', true) is distinct from 'copy game_sessions') execute function manystore."game_sessions_before"()
--;
create or replace trigger manystore_after after insert or update or delete on "game_sessions" for each row when (current_setting('manystore.mode', true) is distinct from 'copy game_sessions') execute function manystore."game_sessions_after"()
--;
create index if not exists "game_sessions_masked" on "game_sessions" using gin ((string_to_array(split_part(split_part(residue, '["', 2), '"]', 1), '","'))) where residue like '{"!":%'
--;
create or replace trigger manystore_no_truncate before truncate on "game_sessions" for each statement execute function manystore.refuse_truncate()
--;
create or replace function manystore."player_scenario_scores_before"() returns trigger
language plpgsql as $$
declare
    buried bigint;
begin
    if tg_op = 'INSERT' then
        select version into buried from manystore.tombstones where kind = 'player_scenario_scores' and key = new."id"::text;
        new.version := greatest(new.version, buried + 1, 1);
    elsif new."id" <> old."id" then
        raise exception 'the key of a record does not change; delete it and insert another'
            using errcode = 'feature_not_supported';
    elsif not manystore.is_echo('player_scenario_scores') then
        new.version := greatest(new.version, old.version + 1);
    end if;
    return new;
end $$
--;
create or replace function manystore."player_scenario_scores_after"() returns trigger
language plpgsql as $$
declare
    buried bigint;
    its_key text;
    its_version bigint;
begin
    if tg_op <> 'INSERT' and manystore.is_echo('player_scenario_scores') then
        return null;
    end if;
    if tg_op = 'DELETE' then
        its_key := old."id"::text;
        its_version := greatest(old.version, nullif(current_setting('manystore.above', true), '')::bigint) + 1;
        insert into manystore.tombstones as stone (kind, key, version) values ('player_scenario_scores', its_key, its_version)
        on conflict (kind, key) do update set version = greatest(stone.version, excluded.version);
    else
        its_key := new."id"::text;
        its_version := new.version;
    end if;
    if tg_op = 'INSERT' then
        delete from manystore.tombstones where kind = 'player_scenario_scores' and key = its_key
        returning version into buried;
        if buried >= its_version then
            raise exception 'record % was deleted meanwhile; repeat the insert', its_key
                using errcode = 'serialization_failure';
        end if;
    end if;
    insert into manystore.change_log (kind, key, version) values ('player_scenario_scores', its_key, its_version);
    if coalesce(current_setting('manystore.mode', true), '') = '' then
        perform manystore.keep_rogue(
            'player_scenario_scores', its_key, its_version, tg_table_name, tg_op, to_jsonb(coalesce(new, old))
        );
    end if;
    return null;
end $$
--;
create or replace trigger manystore_before before insert or update on "player_scenario_scores" for each row when (current_setting('manystore.mode', true) is distinct from 'copy player_scenario_scores') execute function manystore."player_scenario_scores_before"()
--;
create or replace trigger manystore_after after insert or update or delete on "player_scenario_scores" for each row when (current_setting('manystore.mode', true) is distinct from 'copy player_scenario_scores') execute function manystore."player_scenario_scores_after"()
--;
create index if not exists "player_scenario_scores_masked" on "player_scenario_scores" using gin ((string_to_array(split_part(split_part(residue, '["', 2), '"]', 1), '","'))) where residue like '{"!":%'
--;
create or replace trigger manystore_no_truncate before truncate on "player_scenario_scores" for each statement execute function manystore.refuse_truncate()
--;
create or replace function manystore."pending_signups_before"() returns trigger
language plpgsql as $$
declare
    buried bigint;
begin
    if tg_op = 'INSERT' then
        select version into buried from manystore.tombstones where kind = 'pending_signups' and key = new."id"::text;
        new.version := greatest(new.version, buried + 1, 1);
    elsif new."id" <> old."id" then
        raise exception 'the key of a record does not change; delete it and insert another'
            using errcode = 'feature_not_supported';
    elsif not manystore.is_echo('pending_signups') then
        new.version := greatest(new.version, old.version + 1);
    end if;
    return new;
end $$
--;
create or replace function manystore."pending_signups_after"() returns trigger
language plpgsql as $$
declare
    buried bigint;
    its_key text;
    its_version bigint;
begin
    if tg_op <> 'INSERT' and manystore.is_echo('pending_signups') then
        return null;
    end if;
    if tg_op = 'DELETE' then
        its_key := old."id"::text;
        its_version := greatest(old.version, nullif(current_setting('manystore.above', true), '')::bigint) + 1;
        insert into manystore.tombstones as stone (kind, key, version) values ('pending_signups', its_key, its_version)
        on conflict (kind, key) do update set version = greatest(stone.version, excluded.version);
    else
        its_key := new."id"::text;
        its_version := new.version;
    end if;
    if tg_op = 'INSERT' then
        delete from manystore.tombstones where kind = 'pending_signups' and key = its_key
        returning version into buried;
        if buried >= its_version then
            raise exception 'record % was deleted meanwhile; repeat the insert', its_key
                using errcode = 'serialization_failure';
        end if;
    end if;
    insert into manystore.change_log (kind, key, version) values ('pending_signups', its_key, its_version);
    if coalesce(current_setting('manystore.mode', true), '') = '' then
        perform manystore.keep_rogue(
            'pending_signups', its_key, its_version, tg_table_name, tg_op, to_jsonb(coalesce(new, old))
        );
    end if;
    return null;
end $$
--;
create or replace trigger manystore_before before insert or update on "pending_signups" for each row when (current_setting('manystore.mode', true) is distinct from 'copy pending_signups') execute function manystore."pending_signups_before"()
--;
create or replace trigger manystore_after after insert or update or delete on "pending_signups" for each row when (current_setting('manystore.mode', true) is distinct from 'copy pending_signups') execute function manystore."pending_signups_after"()
--;
create index if not exists "pending_signups_masked" on "pending_signups" using gin ((string_to_array(split_part(split_part(residue, '["', 2), '"]', 1), '","'))) where residue like '{"!":%'
--;
create or replace trigger manystore_no_truncate before truncate on "pending_signups" for each statement execute function manystore.refuse_truncate()
--;
create or replace function manystore."sign_ins_before"() returns trigger
language plpgsql as $$
declare
    buried bigint;
begin
    if tg_op = 'INSERT' then
        select version into buried from manystore.tombstones where kind = 'sign_ins' and key = new."id"::text;
        new.version := greatest(new.version, buried + 1, 1);
    elsif new."id" <> old."id" then
        raise exception 'the key of a record does not change; delete it and insert another'
            using errcode = 'feature_not_supported';
    elsif not manystore.is_echo('sign_ins') then
        new.version := greatest(new.version, old.version + 1);
    end if;
    return new;
end $$
--;
create or replace function manystore."sign_ins_after"() returns trigger
language plpgsql as $$
declare
    buried bigint;
    its_key text;
    its_version bigint;
begin
    if tg_op <> 'INSERT' and manystore.is_echo('sign_ins') then
        return null;
    end if;
    if tg_op = 'DELETE' then
        its_key := old."id"::text;
        its_version := greatest(old.version, nullif(current_setting('manystore.above', true), '')::bigint) + 1;
        insert into manystore.tombstones as stone (kind, key, version) values ('sign_ins', its_key, its_version)
        on conflict (kind, key) do update set version = greatest(stone.version, excluded.version);
    else
        its_key := new."id"::text;
        its_version := new.version;
    end if;
    if tg_op = 'INSERT' then
        delete from manystore.tombstones where kind = 'sign_ins' and key = its_key
        returning version into buried;
        if buried >= its_version then
            raise exception 'record % was deleted meanwhile; repeat the insert', its_key
                using errcode = 'serialization_failure';
        end if;
    end if;
    insert into manystore.change_log (kind, key, version) values ('sign_ins', its_key, its_version);
    if coalesce(current_setting('manystore.mode', true), '') = '' then
        perform manystore.keep_rogue(
            'sign_ins', its_key, its_version, tg_table_name, tg_op, to_jsonb(coalesce(new, old))
        );
    end if;
    return null;
end $$
--;
create or replace trigger manystore_before before insert or update on "sign_ins" for each row when (current_setting('manystore.mode', true) is distinct from 'copy sign_ins') execute function manystore."sign_ins_before"()
--;
create or replace trigger manystore_after after insert or update or delete on "sign_ins" for each row when (current_setting('manystore.mode', true) is distinct from 'copy sign_ins') execute function manystore."sign_ins_after"()
--;
create index if not exists "sign_ins_masked" on "sign_ins" using gin ((string_to_array(split_part(split_part(residue, '["', 2), '"]', 1), '","'))) where residue like '{"!":%'
--;
create or replace trigger manystore_no_truncate before truncate on "sign_ins" for each statement execute function manystore.refuse_truncate()
--;
create or replace function manystore."parental_consents_before"() returns trigger
language plpgsql as $$
declare
    buried bigint;
begin
    if tg_op = 'INSERT' then
        select version into buried from manystore.tombstones where kind = 'parental_consents' and key = new."id"::text;
        new.version := greatest(new.version, buried + 1, 1);
    elsif new."id" <> old."id" then
        raise exception 'the key of a record does not change; delete it and insert another'
            using errcode = 'feature_not_supported';
    elsif not manystore.is_echo('parental_consents') then
        new.version := greatest(new.version, old.version + 1);
    end if;
    return new;
end $$
--;
create or replace function manystore."parental_consents_after"() returns trigger
language plpgsql as $$
declare
    buried bigint;
    its_key text;
    its_version bigint;
begin
    if tg_op <> 'INSERT' and manystore.is_echo('parental_consents') then
        return null;
    end if;
    if tg_op = 'DELETE' then
        its_key := old."id"::text;
        its_version := greatest(old.version, nullif(current_setting('manystore.above', true), '')::bigint) + 1;
        insert into manystore.tombstones as stone (kind, key, version) values ('parental_consents', its_key, its_version)
        on conflict (kind, key) do update set version = greatest(stone.version, excluded.version);
    else
        its_key := new."id"::text;
        its_version := new.version;
    end if;
    if tg_op = 'INSERT' then
        delete from manystore.tombstones where kind = 'parental_consents' and key = its_key
        returning version into buried;
        if buried >= its_version then
            raise exception 'record % was deleted meanwhile; repeat the insert', its_key
                using errcode = 'serialization_failure';
        end if;
    end if;
    insert into manystore.change_log (kind, key, version) values ('parental_consents', its_key, its_version);
    if coalesce(current_setting('manystore.mode', true), '') = '' then
        perform manystore.keep_rogue(
            'parental_consents', its_key, its_version, tg_table_name, tg_op, to_jsonb(coalesce(new, old))
        );
    end if;
    return null;
end $$
--;
create or replace trigger manystore_before before insert or update on "parental_consents" for each row when (current_setting('manystore.mode', true) is distinct from 'copy parental_consents') execute function manystore."parental_consents_before"()
--;
create or replace trigger manystore_after after insert or update or delete on "parental_consents" for each row when (current_setting('manystore.mode', true) is distinct from 'copy parental_consents') execute function manystore."parental_consents_after"()
--;
create index if not exists "parental_consents_masked" on "parental_consents" using gin ((string_to_array(split_part(split_part(residue, '["', 2), '"]', 1), '","'))) where residue like '{"!":%'
--;
create or replace trigger manystore_no_truncate before truncate on "parental_consents" for each statement execute function manystore.refuse_truncate()
--;
create or replace function manystore."deletion_requests_before"() returns trigger
language plpgsql as $$
declare
    buried bigint;
begin
    if tg_op = 'INSERT' then
        select version into buried from manystore.tombstones where kind = 'deletion_requests' and key = new."id"::text;
        new.version := greatest(new.version, buried + 1, 1);
    elsif new."id" <> old."id" then
        raise exception 'the key of a record does not change; delete it and insert another'
            using errcode = 'feature_not_supported';
    elsif not manystore.is_echo('deletion_requests') then
        new.version := greatest(new.version, old.version + 1);
    end if;
    return new;
end $$
--;
create or replace function manystore."deletion_requests_after"() returns trigger
language plpgsql as $$
declare
    buried bigint;
    its_key text;
    its_version bigint;
begin
    if tg_op <> 'INSERT' and manystore.is_echo('deletion_requests') then
        return null;
    end if;
    if tg_op = 'DELETE' then
        its_key := old."id"::text;
        its_version := greatest(old.version, nullif(current_setting('manystore.above', true), '')::bigint) + 1;
        insert into manystore.tombstones as stone (kind, key, version) values ('deletion_requests', its_key, its_version)
        on conflict (kind, key) do update set version = greatest(stone.version, excluded.version);
    else
        its_key := new."id"::text;
        its_version := new.version;
    end if;
    if tg_op = 'INSERT' then
        delete from manystore.tombstones where kind = 'deletion_requests' and key = its_key
        returning version into buried;
        if buried >= its_version then
            raise exception 'record % was deleted meanwhile; repeat the insert', its_key
                using errcode = 'serialization_failure';
        end if;
    end if;
    insert into manystore.change_log (kind, key, version) values ('deletion_requests', its_key, its_version);
    if coalesce(current_setting('manystore.mode', true), '') = '' then
        perform manystore.keep_rogue(
            'deletion_requests', its_key, its_version, tg_table_name, tg_op, to_jsonb(coalesce(new, old))
        );
    end if;
    return null;
end $$
--;
create or replace trigger manystore_before before insert or update on "deletion_requests" for each row when (current_setting('manystore.mode', true) is distinct from 'copy deletion_requests') execute function manystore."deletion_requests_before"()
--;
create or replace trigger manystore_after after insert or update or delete on "deletion_requests" for each row when (current_setting('manystore.mode', true) is distinct from 'copy deletion_requests') execute function manystore."deletion_requests_after"()
--;
create index if not exists "deletion_requests_masked" on "deletion_requests" using gin ((string_to_array(split_part(split_part(residue, '["', 2), '"]', 1), '","'))) where residue like '{"!":%'
--;
create or replace trigger manystore_no_truncate before truncate on "deletion_requests" for each statement execute function manystore.refuse_truncate()
--;
create or replace function manystore."purchases_before"() returns trigger
language plpgsql as $$
declare
    buried bigint;
begin
    if tg_op = 'INSERT' then
        select version into buried from manystore.tombstones where kind = 'purchases' and key = new."id"::text;
        new.version := greatest(new.version, buried + 1, 1);
    elsif new."id" <> old."id" then
        raise exception 'the key of a record does not change; delete it and insert another'
            using errcode = 'feature_not_supported';
    elsif not manystore.is_echo('purchases') then
        new.version := greatest(new.version, old.version + 1);
    end if;
    return new;
end $$
--;
create or replace function manystore."purchases_after"() returns trigger
language plpgsql as $$
declare
    buried bigint;
    its_key text;
    its_version bigint;
begin
    if tg_op <> 'INSERT' and manystore.is_echo('purchases') then
        return null;
    end if;
    if tg_op = 'DELETE' then
        its_key := old."id"::text;
        its_version := greatest(old.version, nullif(current_setting('manystore.above', true), '')::bigint) + 1;
        insert into manystore.tombstones as stone (kind, key, version) values ('purchases', its_key, its_version)
        on conflict (kind, key) do update set version = greatest(stone.version, excluded.version);
    else
        its_key := new."id"::text;
        its_version := new.version;
    end if;
    if tg_op = 'INSERT' then
        delete from manystore.tombstones where kind = 'purchases' and key = its_key
        returning version into buried;
        if buried >= its_version then
            raise exception 'record % was deleted meanwhile; repeat the insert', its_key
                using errcode = 'serialization_failure';
        end if;
    end if;
    insert into manystore.change_log (kind, key, version) values ('purchases', its_key, its_version);
    if coalesce(current_setting('manystore.mode', true), '') = '' then
        perform manystore.keep_rogue(
            'purchases', its_key, its_version, tg_table_name, tg_op, to_jsonb(coalesce(new, old))
        );
    end if;
    return null;
end $$
--;
create or replace trigger manystore_before before insert or update on "purchases" for each row when (current_setting('manystore.mode', true) is distinct from 'copy purchases') execute function manystore."purchases_before"()
--;
create or replace trigger manystore_after after insert or update or delete on "purchases" for each row when (current_setting('manystore.mode', true) is distinct from 'copy purchases') execute function manystore."purchases_after"()
--;
create index if not exists "purchases_masked" on "purchases" using gin ((string_to_array(split_part(split_part(residue, '["', 2), '"]', 1), '","'))) where residue like '{"!":%'
--;
create or replace trigger manystore_no_truncate before truncate on "purchases" for each statement execute function manystore.refuse_truncate()
