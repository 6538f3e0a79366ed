-- state_log_lines: stores the lines of batches in the transaction of the append that tells of them.
-- Takes   states, {"stream", "source", "server", "execution", "lines": [{"at", "level", "message", "fields"}]};
--         not derived from the log. A stream is in one append once, so its newest event is the batch's.
-- Makes   the partition of the day if nobody made it ahead: a batch is never lost for want of one
-- Plans   each batch is parsed once: `batch ->> 'source'` beside each line would parse all of it for every line
create or replace function state_log_lines(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
declare
  batch record;
  event record;
begin
  for batch in
    select r.* from unnest(states) s (state),
           json_to_record(s.state) r (stream text, source text, server text, execution uuid, lines json)
  loop
    select e.seq, e.recorded_at into strict event
      from streams s join events e on e.stream = s.stream and e.version = s.version
     where s.stream = batch.stream;
    perform log_partition_add((event.recorded_at at time zone 'UTC')::date);
    insert into log_lines (at, recorded_at, seq, line, level, execution, source, server, message, fields)
    select coalesce(l.at, event.recorded_at), event.recorded_at, event.seq, l.line, l.level,
           batch.execution, batch.source, batch.server, l.message, l.fields
      from rows from (json_to_recordset(batch.lines) as (at timestamptz, level smallint, message text, fields json))
           with ordinality l (at, level, message, fields, line);
  end loop;
end $$;
