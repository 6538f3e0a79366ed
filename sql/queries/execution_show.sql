-- execution_show: one execution and the position it is true as of, in one snapshot.
-- Takes   id: uuid
-- Returns epoch: uuid, seq: bigint, state: json (null when there is no such execution)
select h.epoch, h.seq, e.state from log_head h left join executions e on e.id = $1;
