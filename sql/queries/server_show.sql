-- server_show: one server and the position it is true as of, in one snapshot.
-- Takes   id: uuid, or null; name: text, or null: of one that is not deleted
-- Returns epoch: uuid, seq: bigint, state: json (null when there is no such server)
select h.epoch, h.seq, s.state
  from log_head h
  left join servers s on s.id = coalesce($1::uuid, (select id from servers where lower(name) = lower($2::text) and not deleted));
