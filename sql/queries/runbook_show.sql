-- runbook_show: one runbook and the position it is true as of, in one snapshot.
-- Takes   id: uuid
-- Returns epoch: uuid, seq: bigint, state: json (null when there is no such runbook)
select h.epoch, h.seq, r.state from log_head h left join runbooks r on r.id = $1;
