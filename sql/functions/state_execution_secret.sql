-- state_execution_secret: keeps the secrets of an execution until it ends. They are in no event.
-- Takes   states: {execution_id, name, value}; null or empty does nothing
create or replace function state_execution_secret(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
  insert into execution_secrets
  select r.execution_id, r.name, r.value
    from unnest(states) s (state), json_to_record(s.state) r (execution_id uuid, name text, value text)
  on conflict (execution_id, name) do update set value = excluded.value;
end $$;
