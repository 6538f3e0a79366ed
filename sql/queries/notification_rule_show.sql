-- notification_rule_show: one rule, and the position it is true as of.
-- Takes   id: uuid
-- Returns epoch: uuid, seq: bigint, state: json (null when there is no such rule)
select h.epoch, h.seq, r.state from log_head h left join notification_rules r on r.id = $1 and not r.deleted;
