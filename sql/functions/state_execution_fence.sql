-- state_execution_fence: stores nothing; lets an append happen only while a runner still has its lease.
-- Takes   states: {execution_id, token}
-- Raises  SB001 when another runner has taken over, or the execution has ended
-- Locks   the lease row against a takeover until commit, so that what is appended comes before it
create or replace function state_execution_fence(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
  perform from execution_leases l, unnest(states) s (state)
    where l.execution_id = (s.state ->> 'execution_id')::uuid order by l.execution_id for share of l;
  if exists (
    select from unnest(states) s (state)
      left join execution_leases l on l.execution_id = (s.state ->> 'execution_id')::uuid
     where l.token is distinct from (s.state ->> 'token')::bigint
  ) then
    raise exception 'the lease has another holder' using errcode = 'SB001';
  end if;
end $$;
