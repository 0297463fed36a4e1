create function remove_expired_signups() returns bigint language plpgsql as $$
declare
    present record;
    removed bigint;
    mode_before text := coalesce(current_setting('manystore.mode', true), '');
begin
    select epoch, admits into present from manystore.fences where kind = 'pending_signups';
    if present.admits is not true then
        return 0;
    end if;
    perform manystore.enter('pending_signups', present.epoch);
    delete from pending_signups where expires_at < now() - interval '1 day';
    get diagnostics removed = row_count;
    perform set_config('manystore.mode', mode_before, true);
    return removed;
end $$
--;
comment on function remove_expired_signups() is
'Removes the sign-ups that expired more than a day ago, and returns how many there were. Where they have their
truth in another store, this one only holds a copy, nothing is removed, and the answer is 0.'
