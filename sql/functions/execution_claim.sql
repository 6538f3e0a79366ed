-- execution_claim: gives a process the lease on one execution that has something to do and no holder.
-- Takes   holder: uuid of the process; lease_ms: how long the lease lasts unless it is renewed
-- Returns execution_id: uuid, token: bigint; no row when there is none
-- Locks   one claim at a time in the whole database (1701016436 is "exec" and a bit in ASCII), until commit: what
--         is counted for max_concurrent stays true. An execution that runs, or that a process holds, counts.
create or replace function execution_claim(holder uuid, lease_ms int)
returns table (execution_id uuid, token bigint)
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz;
begin
  perform pg_advisory_xact_lock(1701016436, 0);
  at := clock_timestamp();
  return query
  update execution_leases l
     set holder = execution_claim.holder, token = nextval('execution_token'),
         expires_at = at + execution_claim.lease_ms * interval '1 millisecond'
   where l.execution_id = (
    select c.execution_id from execution_leases c
     where c.due_at <= at and c.expires_at <= at
       and (c.status <> 'queued' or c.max_concurrent > (
         select count(*) from execution_leases o
          where o.runbook_id = c.runbook_id and o.execution_id <> c.execution_id
            and (o.status = 'running' or o.expires_at > at)))
     order by c.due_at, c.execution_id
     limit 1
     for update skip locked)
  returning l.execution_id, l.token;
end $$;
