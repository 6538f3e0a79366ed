-- tokens_of: a user's API tokens that are good, the newest first.
-- Takes   user: uuid; most rows: bigint
-- Returns epoch, seq, and per row id: uuid, name: text, permissions: text[], created_at, expires_at,
--         last_used_at: timestamptz; at least one row
select h.epoch, h.seq, t.id, t.name, t.permissions, t.created_at, t.expires_at, t.last_used_at
  from log_head h
  left join lateral (
    select * from api_tokens where user_id = $1 and revoked_at is null and expires_at > now()
     order by created_at desc, id desc limit $2
  ) t on true
 order by t.created_at desc, t.id desc;
