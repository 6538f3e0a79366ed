-- state_server: stores servers as they stand, in the transaction of the append that made them so.
-- Takes   states, the serialised domain::server::Server; null or empty does nothing
-- Also    writes down a new status with its beginning, and has each server looked at again: now, or when the process
--         that is at it has done with it
create or replace function state_server(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into servers
  select r.id, r.name, r.host, r.description, r.status, r.labels, r.deleted, r.version, s.state
    from unnest(states) s (state),
         json_to_record(s.state) r (id uuid, name text, host text, description text, status text, labels jsonb,
           deleted boolean, version bigint)
  on conflict (id) do update set
    name = excluded.name, host = excluded.host, description = excluded.description, status = excluded.status,
    labels = excluded.labels, deleted = excluded.deleted, version = excluded.version, state = excluded.state;

  insert into server_statuses
  select r.id, r.version, r.status, r.status_since
    from unnest(states) s (state),
         json_to_record(s.state) r (id uuid, version bigint, status text, status_since timestamptz)
   where r.status is distinct from (select l.status from server_statuses l where l.server_id = r.id
                                     order by l.version desc limit 1)
  on conflict do nothing;

  insert into server_checks (server_id, version, next_at)
  select r.id, r.version, case when r.deleted then 'infinity' else now() end
    from unnest(states) s (state), json_to_record(s.state) r (id uuid, version bigint, deleted boolean)
  on conflict (server_id) do update set version = excluded.version, next_at = excluded.next_at, failures = 0;
end $$;
