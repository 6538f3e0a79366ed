-- idempotency_find: what a command with this key was answered.
-- Takes   principal: text; key: text
-- Returns body_hash: bytea, reply: json, seq: bigint
select body_hash, reply, seq from idempotency where principal = $1 and key = $2;
