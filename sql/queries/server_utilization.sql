-- server_utilization: how busy a server said it was, step by step.
-- Takes   server: uuid; window: float8, step: float8, both in seconds; a step is whole five minutes
-- Returns at: timestamptz, the step's beginning; samples: bigint; average and maximum of each figure: float8
select date_bin(make_interval(secs => $3::float8), bucket, 'epoch'::timestamptz) as at, sum(samples)::bigint as samples,
       sum(cpu_sum) / sum(samples) as cpu_avg, max(cpu_max) as cpu_max,
       sum(memory_sum) / sum(samples) as memory_avg, max(memory_max) as memory_max,
       sum(disk_sum) / sum(samples) as disk_avg, max(disk_max) as disk_max,
       sum(load_sum) / sum(samples) as load_avg, max(load_max) as load_max
  from server_utilization
 where server_id = $1 and bucket > now() - make_interval(secs => $2::float8) - interval '5 minutes'
 group by 1 order by 1;
