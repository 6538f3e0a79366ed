-- state_execution_line: stores lines that an execution printed, in the transaction of the event that tells of them.
-- Takes   states: {execution_id, token, lines: [{line, step, attempt, source, printed_at, text}]}
-- Raises  SB001 when the token is not that of the lease: another runner has taken over, and this one is not to write
-- Locks   the lease row against a takeover until commit
create or replace function state_execution_line(states json[]) returns void
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
  insert into execution_lines
  select (s.state ->> 'execution_id')::uuid, r.line, r.step, r.attempt, r.source, r.printed_at, r.text
    from unnest(states) s (state),
         json_to_recordset(s.state -> 'lines') r (line bigint, step int, attempt int, source text,
           printed_at timestamptz, text text);
end $$;
