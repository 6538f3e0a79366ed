-- server_latency: what tests of a server measured, step by step, and the position it is asked at.
-- Takes   server: uuid; window: float8, step: float8, both in seconds
-- Returns at: timestamptz, the step's beginning; tests, failures: bigint;
--         connect_avg_ms, connect_max_ms, handshake_avg_ms, handshake_max_ms: float8 (null: none came so far)
select date_bin(make_interval(secs => $3::float8), at, 'epoch'::timestamptz) as at, count(*) as tests,
       count(*) filter (where not answered) as failures,
       avg(connect_us)::float8 / 1000 as connect_avg_ms, max(connect_us)::float8 / 1000 as connect_max_ms,
       avg(handshake_us)::float8 / 1000 as handshake_avg_ms, max(handshake_us)::float8 / 1000 as handshake_max_ms
  from server_probes
 where server_id = $1 and at > now() - make_interval(secs => $2::float8)
 group by 1 order by 1;
