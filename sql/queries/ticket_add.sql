-- ticket_add: a stream id that can be redeemed once, within 30 seconds. Old ones go.
-- Takes   hash of the id: bytea; user: uuid; session: uuid; expiry of the access token in Unix seconds: bigint
with old as (delete from stream_tickets where expires_at < now())
insert into stream_tickets (id_hash, user_id, session_id, token_exp, expires_at)
values ($1, $2, $3, to_timestamp($4::bigint), now() + interval '30 seconds') on conflict do nothing;
