-- state_api_token: keeps a new API token, or revokes one, in the transaction of the event that says so.
-- Takes   states, {"id", "user_id", "name", "hash" (hex), "permissions", "created_at", "expires_at", "revoked"};
--         of one that exists only "id" and "revoked" matter; not derived from the log
create or replace function state_api_token(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  update api_tokens t set revoked_at = coalesce(t.revoked_at, now())
    from unnest(states) s (state), json_to_record(s.state) r (id uuid, revoked boolean)
   where t.id = r.id and r.revoked;
  insert into api_tokens (id, user_id, name, hash, permissions, created_at, expires_at)
  select r.id, r.user_id, r.name, decode(r.hash, 'hex'), r.permissions, r.created_at, r.expires_at
    from unnest(states) s (state),
         json_to_record(s.state) r (id uuid, user_id uuid, name text, hash text, permissions text[],
           created_at timestamptz, expires_at timestamptz, revoked boolean)
   where not r.revoked;
end $$;
