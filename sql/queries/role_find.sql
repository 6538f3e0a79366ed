-- role_find: one role that somebody made, and how many users hold it.
-- Takes   name: text
-- Returns epoch, seq, state: json (null when there is none), holders: bigint
select h.epoch, h.seq, r.state, (select count(*) from users u where $1::text = any (u.roles)) as holders
  from log_head h left join roles r on r.name = $1::text and not r.deleted;
