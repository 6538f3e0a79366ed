-- execution_lines: lines that an execution printed behind or before one, and the position that is true as of.
-- Takes   execution: uuid; after: bigint or null; before: bigint or null (the nearest to it); most: bigint
-- Returns epoch: uuid, seq: bigint, and per line, in order: line, step, attempt, source, printed_at, text;
--         at least one row, without a line when there is none
select h.epoch, h.seq, l.line, l.step, l.attempt, l.source, l.printed_at, l.text
  from log_head h
  left join lateral (
    (select * from execution_lines where $3::bigint is null and execution_id = $1 and line > coalesce($2::bigint, 0)
      order by line limit $4)
    union all
    (select * from execution_lines where $3::bigint is not null and execution_id = $1 and line < $3
        and line > coalesce($2::bigint, 0)
      order by line desc limit $4)
  ) l on true
 order by l.line;
