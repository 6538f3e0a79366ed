-- incident_show: one incident and the position it is true as of, in one snapshot.
-- Takes   id: uuid, or null; number: bigint, or null
-- Returns epoch: uuid, seq: bigint, state: json (null when there is no such incident)
select h.epoch, h.seq, i.state
  from log_head h
  left join incidents i on i.id = coalesce($1::uuid, (select id from incidents where number = $2::bigint));
