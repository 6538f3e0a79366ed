-- ticket_redeem: takes a one-time stream id.
-- Takes   hash of the id: bytea
-- Returns user_id: uuid, session_id: uuid, token_exp: bigint in Unix seconds; no row when it is used, old or unknown
delete from stream_tickets where id_hash = $1
returning user_id, session_id, extract(epoch from token_exp)::bigint as token_exp, expires_at > now() as valid;
