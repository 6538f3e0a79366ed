-- user_show: one user and the position it is true as of, in one snapshot.
-- Takes   id: uuid, or null; user name: text, or null
-- Returns epoch: uuid, seq: bigint, state: json (null when there is no such user), signed_in_at: timestamptz (null: never)
select h.epoch, h.seq, u.state, (select max(s.created_at) from sessions s where s.user_id = u.id) as signed_in_at
  from log_head h left join users u on u.id = $1::uuid or u.username = $2::text;
