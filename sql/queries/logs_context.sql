-- logs_context: a line and its neighbours of the same source, and where it has them, of the same server and execution.
-- Takes   seq: bigint and line: int, its name; how many before and after: bigint
-- Returns epoch, head, and whole lines in order; at least one row, with nulls for a line when there is no such line
with here as (
  select * from log_lines where seq = $1 and line = $2
), lines as (
  select b.* from here, log_search(null, null, null, here.source, here.server, here.execution, null, null, null, null,
                                   here.at, here.seq, here.line, true, $3) b
  union all select * from here
  union all
  select a.* from here, log_search(null, null, null, here.source, here.server, here.execution, null, null, null, null,
                                   here.at, here.seq, here.line, false, $4) a
)
select h.epoch, h.seq as head, l.* from log_head h left join lines l on true order by l.at, l.seq, l.line;
