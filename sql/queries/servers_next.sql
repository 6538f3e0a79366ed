-- servers_next: how long nothing has to be looked at.
-- Returns wait_s: float8, seconds until the next server is due, negative when one is; null when none ever is
select extract(epoch from min(greatest(next_at, taken_until)) - now())::float8 as wait_s from server_checks where next_at < 'infinity';
