-- state_credential: stores password hashes beside the event that says a password was set.
-- Takes   states, {"user_id", "password_hash"}; not derived from the log and not touched by a rebuild
create or replace function state_credential(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into credentials
  select r.user_id, r.password_hash
    from unnest(states) s (state), json_to_record(s.state) r (user_id uuid, password_hash text)
  on conflict (user_id) do update set password_hash = excluded.password_hash;
end $$;
