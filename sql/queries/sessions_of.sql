-- sessions_of: a user's sign-ins that are not over, the newest first.
-- Takes   user: uuid; but for this one: uuid, or null; most rows: bigint
-- Returns epoch, seq, and per row id: uuid, created_at, refreshed_at, expires_at: timestamptz; at least one row
select h.epoch, h.seq, s.id, s.created_at, s.refreshed_at, s.expires_at
  from log_head h
  left join lateral (
    select id, created_at, refreshed_at, expires_at from sessions
     where user_id = $1 and id is distinct from $2::uuid and ended_at is null and expires_at > now()
     order by created_at desc, id desc limit $3
  ) s on true
 order by s.created_at desc, s.id desc;
