-- execution_lines: lines that an execution printed behind or before one, their numbers, and the position that is true
-- as of.
-- Takes   execution: uuid; after: seq bigint and line int, or null; before: the same, or null (then the nearest to
--         it); most: bigint; from: bigint, the number of the first line, from 1
-- Returns epoch: uuid, seq: bigint, total: bigint, and per line, in order: number: bigint, at_seq, line, level, at,
--         message, fields; at least one row, without a line when there is none
-- Plans   the times of the lines named are looked up first, so that the index is entered there and not at its begin;
--         lines are counted in the index alone
with begin_at as (
  select at, seq, line from log_lines where $7::bigint > 1 and execution = $1
   order by at, seq, line offset greatest($7 - 2, 0) limit 1
), page as (
  (select l.* from log_lines l where $4::bigint is null and execution = $1
      and ($2::bigint is null or (seq, line) > ($2, $3::int))
      and at >= coalesce((select min(x.at) from log_lines x where x.seq = $2), '-infinity')
      and at >= coalesce((select at from begin_at), '-infinity')
      and ($7 <= 1 or (at, seq, line) > (select at, seq, line from begin_at))
    order by at, seq, line limit $6)
  union all
  (select l.* from log_lines l where $4::bigint is not null and execution = $1 and (seq, line) < ($4, $5::int)
      and ($2::bigint is null or (seq, line) > ($2, $3::int))
      and at <= coalesce((select max(x.at) from log_lines x where x.seq = $4), 'infinity')
    order by at desc, seq desc, line desc limit $6)
), before_it as (
  select case when $2::bigint is null and $4::bigint is null then $7 - 1 else (
    select count(*) from log_lines l, (select at, seq, line from page order by at, seq, line limit 1) f
     where l.execution = $1 and (l.at, l.seq, l.line) < (f.at, f.seq, f.line)
  ) end as lines
)
select h.epoch, h.seq, (select count(*) from log_lines where execution = $1) as total,
       before_it.lines + row_number() over (order by l.at, l.seq, l.line) as number,
       l.seq as at_seq, l.line, l.level, l.at, l.message, l.fields
  from log_head h
 cross join before_it
  left join page l on true
 order by l.at, l.seq, l.line;
