-- state_session: keeps a new sign-in, or ends one, in the transaction of the event that says so.
-- Takes   states, {"id", "user_id", "refresh_hash" (hex), "expires_at", "ended"}; not derived from the log
create or replace function state_session(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into sessions as old (id, user_id, refresh_hash, expires_at, ended_at)
  select r.id, r.user_id, decode(r.refresh_hash, 'hex'), r.expires_at, case when r.ended then now() end
    from unnest(states) s (state),
         json_to_record(s.state) r (id uuid, user_id uuid, refresh_hash text, expires_at timestamptz, ended boolean)
  on conflict (id) do update set ended_at = coalesce(old.ended_at, excluded.ended_at);
end $$;
