-- dashboard_server_utilization: the busiest servers.
-- Takes   $1 window in hours: int; $2 'cpu', 'memory', 'disk' or 'load', by whose average they are ordered: text;
--         $3 most rows: bigint
-- Returns epoch, seq, and per row server: uuid, name, status, samples: bigint, average and maximum of each figure: float8;
--         at least one row, without server when nobody reported
select h.epoch, h.seq, u.*
  from log_head h
  left join lateral (
    select s.id as server, s.name, s.status, m.samples, m.cpu_avg, m.cpu_max, m.memory_avg, m.memory_max,
           m.disk_avg, m.disk_max, m.load_avg, m.load_max
      from (
        select server_id, sum(samples)::bigint as samples,
               sum(cpu_sum) / sum(samples) as cpu_avg, max(cpu_max) as cpu_max,
               sum(memory_sum) / sum(samples) as memory_avg, max(memory_max) as memory_max,
               sum(disk_sum) / sum(samples) as disk_avg, max(disk_max) as disk_max,
               sum(load_sum) / sum(samples) as load_avg, max(load_max) as load_max
          from server_utilization
         where bucket > now() - make_interval(hours => $1) - interval '5 minutes'
         group by server_id
      ) m
      join servers s on s.id = m.server_id and not s.deleted
     order by case $2::text when 'cpu' then cpu_avg when 'memory' then memory_avg when 'disk' then disk_avg else load_avg end desc,
              s.name, s.id
     limit $3
  ) u on true;
