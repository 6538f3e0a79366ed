-- state_invitation: keeps a user's invitation, or uses it up, in the transaction of the event that says so.
-- Takes   states, {"user_id", "hash" (hex; null: used up), "expires_at"}; not derived from the log
create or replace function state_invitation(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  delete from invitations where user_id in (select (s.state ->> 'user_id')::uuid from unnest(states) s (state));
  insert into invitations (user_id, hash, expires_at)
  select r.user_id, decode(r.hash, 'hex'), r.expires_at
    from unnest(states) s (state), json_to_record(s.state) r (user_id uuid, hash text, expires_at timestamptz)
   where r.hash is not null;
end $$;
