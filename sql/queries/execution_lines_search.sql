-- execution_lines_search: lines of an execution that hold a text, with their numbers among all that it printed, and the
-- position that is true as of.
-- Takes   execution: uuid; text, in any case; from: bigint, the number of the first line looked at; most: bigint
-- Returns as execution_lines
with numbered as (
  select l.*, row_number() over (order by at, seq, line) as number from log_lines l where execution = $1
)
select h.epoch, h.seq, (select count(*) from numbered) as total,
       l.number, l.seq as at_seq, l.line, l.level, l.at, l.message, l.fields
  from log_head h
  left join lateral (
    select * from numbered
     where number >= $3 and message ilike '%' || regexp_replace($2, '([\\%_])', '\\\1', 'g') || '%'
     order by number limit $4
  ) l on true
 order by l.number;
