-- state_execution: stores executions as they stand, in the transaction of the append that made them so, and
-- keeps beside each that has not ended the row that runners take leases on.
-- Takes   states, the serialised domain::automation::execution::Execution; null or empty does nothing
-- Locks   their lease rows until commit; whoever renews a lease locks one row and nothing else
create or replace function state_execution(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into executions
  select r.id, r.runbook_id, r.status, r.trigger ->> 'kind', (r.trigger ->> 'at')::timestamptz, r.depth, r.correlation_id,
         r.queued_at, r.updated_at, r.version, s.state
    from unnest(states) s (state),
         json_to_record(s.state) r (id uuid, runbook_id uuid, status text, trigger json, depth int, correlation_id uuid,
           queued_at timestamptz, updated_at timestamptz, version bigint)
  on conflict (id) do update set
    status = excluded.status, updated_at = excluded.updated_at, version = excluded.version, state = excluded.state;

  insert into execution_leases (execution_id, runbook_id, status, max_concurrent, due_at)
  select r.id, r.runbook_id, r.status, (s.state #>> '{definition,max_concurrent}')::int, r.due_at
    from unnest(states) s (state),
         json_to_record(s.state) r (id uuid, runbook_id uuid, status text, due_at timestamptz)
   where r.status in ('queued', 'running', 'waiting_approval')
   order by r.id
  on conflict (execution_id) do update set status = excluded.status, due_at = excluded.due_at;

  delete from execution_leases where execution_id in (
    select r.id from unnest(states) s (state), json_to_record(s.state) r (id uuid, status text)
     where r.status not in ('queued', 'running', 'waiting_approval'));
  delete from execution_secrets where execution_id in (
    select r.id from unnest(states) s (state), json_to_record(s.state) r (id uuid, status text)
     where r.status not in ('queued', 'running', 'waiting_approval'));
end $$;
