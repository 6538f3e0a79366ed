-- server_looked_at: keeps what a test measured, and says when the server is looked at again.
-- Takes   server: uuid; its version as the test knew it: bigint; seconds until the next time: float8 (null: never);
--         failures in a row: int; measured: boolean, whether there was a test; answered: boolean;
--         connect_us, handshake_us: int
-- A server that was changed meanwhile is looked at again at once. The same again: harmless.
with probe as (
  insert into server_probes (server_id, at, answered, connect_us, handshake_us)
  select $1::uuid, now(), $6::boolean, $7::int, $8::int where $5::boolean
  on conflict do nothing
)
update server_checks set failures = $4::int, taken_until = '-infinity',
  next_at = case when version > $2::bigint then now() else coalesce(now() + make_interval(secs => $3::float8), 'infinity') end
 where server_id = $1::uuid;
