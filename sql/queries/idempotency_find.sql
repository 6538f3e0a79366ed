-- idempotency_find: what a command with this key was answered.
-- Takes   id of principal and key: uuid
-- Returns body_hash: bytea, reply: json, seq: bigint
select body_hash, reply, seq from idempotency where id = $1;
