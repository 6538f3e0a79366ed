-- execution_show: one execution, how many lines it has printed, and the position that is true as of, in one snapshot.
-- Takes   id: uuid
-- Returns epoch: uuid, seq: bigint, state: json (null when there is no such execution), lines: bigint
select h.epoch, h.seq, e.state,
       coalesce((select max(line) from execution_lines l where l.execution_id = $1), 0) as lines
  from log_head h
  left join executions e on e.id = $1;
