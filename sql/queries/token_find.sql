-- token_find: an API token that is good.
-- Takes   id: uuid
-- Returns user_id: uuid, hash: bytea, permissions: text[], expires_at: bigint in Unix seconds
select user_id, hash, permissions, floor(extract(epoch from expires_at))::bigint as expires_at
  from api_tokens where id = $1 and revoked_at is null and expires_at > now();
