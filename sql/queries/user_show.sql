-- user_show: one user and the position it is true as of, in one snapshot.
-- Takes   id: uuid, or null; user name: text, or null
-- Returns epoch: uuid, seq: bigint, state: json (null when there is no such user)
select h.epoch, h.seq, u.state from log_head h left join users u on u.id = $1::uuid or u.username = $2::text;
