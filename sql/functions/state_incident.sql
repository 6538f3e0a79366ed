-- state_incident: stores incidents as they stand, in the transaction of the append that made them so.
-- Plans   kept by plpgsql; a function in plain SQL would be planned anew for every batch.
-- Takes   states, the serialised domain::incident::Incident; null or empty does nothing
create or replace function state_incident(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into incidents as i
  select r.id, r.number, r.title, r.status, r.severity, r.priority,
         array_position(array['low', 'normal', 'high', 'urgent'], r.priority), r.assignee, r.dedup_key,
         r.affected_servers, r.labels, r.created_at, r.updated_at, r.version, s.state
    from unnest(states) s (state),
         json_to_record(s.state) r (id uuid, number bigint, title text, status text, severity text, priority text,
           assignee text, dedup_key text, affected_servers text[], labels jsonb,
           created_at timestamptz, updated_at timestamptz, version bigint)
  on conflict (id) do update set
    title = excluded.title, status = excluded.status, severity = excluded.severity, priority = excluded.priority,
    urgency = excluded.urgency, assignee = excluded.assignee, dedup_key = excluded.dedup_key,
    affected_servers = excluded.affected_servers, labels = excluded.labels,
    updated_at = excluded.updated_at, version = excluded.version, state = excluded.state;
end $$;
