-- state_log_lines: stores the lines of batches in the transaction of the append that tells of them.
-- Takes   states, {"stream", "source", "server", "execution", "lines": [{"at", "level", "message", "fields"}]};
--         not derived from the log. A stream is in one append once, so its newest event is the batch's.
-- Makes   the partition of the day if nobody made it ahead: a batch is never lost for want of one
create or replace function state_log_lines(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
  batch json;
  event record;
begin
  foreach batch in array states loop
    select e.seq, e.recorded_at into strict event
      from streams s join events e on e.stream = s.stream and e.version = s.version
     where s.stream = batch ->> 'stream';
    perform log_partition_add((event.recorded_at at time zone 'UTC')::date);
    insert into log_lines (at, recorded_at, seq, line, level, execution, source, server, message, fields)
    select coalesce((l.line ->> 'at')::timestamptz, event.recorded_at), event.recorded_at, event.seq, l.place,
           (l.line ->> 'level')::smallint, (batch ->> 'execution')::uuid, batch ->> 'source', batch ->> 'server',
           l.line ->> 'message', l.line -> 'fields'
      from json_array_elements(batch -> 'lines') with ordinality l (line, place);
  end loop;
end $$;
