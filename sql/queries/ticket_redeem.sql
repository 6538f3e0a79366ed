-- ticket_redeem: takes a one-time stream id.
-- Takes   hash of the id: bytea
-- Returns user_id: uuid, session_id: uuid, token_exp: bigint in Unix seconds, valid: boolean, and
--         api_token: boolean, session_id is an API token's; no row when it is used or unknown
delete from stream_tickets where id_hash = $1
returning user_id, session_id, extract(epoch from token_exp)::bigint as token_exp, expires_at > now() as valid,
          exists (select from api_tokens where id = session_id) as api_token;
