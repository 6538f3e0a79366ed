-- notification_rules_list: the rules, of one channel or of all, and the position they are true as of.
-- Takes   channel: uuid, or null
-- Returns epoch: uuid, seq: bigint, and per row state: json; at least one row
select h.epoch, h.seq, r.state
  from log_head h
  left join notification_rules r on not r.deleted and ($1::uuid is null or r.channel_id = $1)
 order by r.id;
