-- state_server_credential: keeps a reference to a credential, or forgets it, in the transaction of its event.
-- Takes   states, {"server_id", "reference" (null: none)}; not derived from the log, which never has it
create or replace function state_server_credential(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into server_credentials
  select r.server_id, r.reference
    from unnest(states) s (state), json_to_record(s.state) r (server_id uuid, reference text)
   where r.reference is not null
  on conflict (server_id) do update set reference = excluded.reference;
  delete from server_credentials c
   using unnest(states) s (state), json_to_record(s.state) r (server_id uuid, reference text)
   where c.server_id = r.server_id and r.reference is null;
end $$;
