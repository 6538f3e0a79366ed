-- server_uptime: for how long a server had each status within the last hours.
-- Takes   server: uuid; window: int, in hours
-- Returns up_s, down_s, maintenance_s, pending_s: float8, which sum up to the window, or to the server's age
select coalesce(sum(s) filter (where status = 'up'), 0)::float8 as up_s,
       coalesce(sum(s) filter (where status = 'down'), 0)::float8 as down_s,
       coalesce(sum(s) filter (where status = 'maintenance'), 0)::float8 as maintenance_s,
       coalesce(sum(s) filter (where status = 'pending'), 0)::float8 as pending_s
  from (
    select status, extract(epoch from greatest(until, since) - since) as s
      from (
        select status, greatest(since, now() - make_interval(hours => $2::int)) as since,
               lead(since, 1, now()) over (order by version) as until
          from server_statuses
         where server_id = $1
      ) spans
  ) measured;
