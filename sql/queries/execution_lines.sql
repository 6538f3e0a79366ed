-- execution_lines: lines that an execution printed behind or before one, and the position that is true as of.
-- Takes   execution: uuid; after: seq bigint and line int, or null; before: the same, or null (then the nearest to
--         it); most: bigint
-- Returns epoch: uuid, seq: bigint, and per line, in order: at_seq, line, level, at, message, fields;
--         at least one row, without a line when there is none
-- Plans   the times of the lines named are looked up first, so that the index is entered there and not at its begin
select h.epoch, h.seq, l.seq as at_seq, l.line, l.level, l.at, l.message, l.fields
  from log_head h
  left join lateral (
    (select * from log_lines where $4::bigint is null and execution = $1
        and ($2::bigint is null or (seq, line) > ($2, $3::int))
        and at >= coalesce((select min(x.at) from log_lines x where x.seq = $2), '-infinity')
      order by at, seq, line limit $6)
    union all
    (select * from log_lines where $4::bigint is not null and execution = $1 and (seq, line) < ($4, $5::int)
        and ($2::bigint is null or (seq, line) > ($2, $3::int))
        and at <= coalesce((select max(x.at) from log_lines x where x.seq = $4), 'infinity')
      order by at desc, seq desc, line desc limit $6)
  ) l on true
 order by l.at, l.seq, l.line;
