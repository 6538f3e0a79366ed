-- servers_next: how long nothing has to be looked at.
-- Returns wait_s: float8, seconds until the next server is due, negative when one is; null when none ever is
select extract(epoch from min(next_at) - now())::float8 as wait_s from server_checks where next_at < 'infinity';
