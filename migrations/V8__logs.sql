-- Log lines, by the day of their recording: old days go whole, without touching a row.

create table log_lines (
  at          timestamptz not null, -- when its writer says it was written, else recorded_at
  recorded_at timestamptz not null, -- of the event
  seq         bigint      not null, -- of the event log.added that told of it
  line        int         not null, -- its place in that event's batch, from 1
  level       smallint    not null, -- 1 trace, 2 debug, 3 info, 4 warn, 5 error, 6 fatal
  execution   uuid,
  source      text        not null,
  server      text,
  message     text        not null,
  fields      json
) partition by range (recorded_at);
-- The order of every list is (at, seq, line). With the level in it, a histogram reads the index alone.
create index log_lines_at on log_lines (at, seq, line) include (level);
create index log_lines_source on log_lines (source, at, seq, line);
create index log_lines_execution on log_lines (execution, at, seq, line) where execution is not null;
create index log_lines_seq on log_lines (seq); -- many lines have one seq: PostgreSQL stores it once
