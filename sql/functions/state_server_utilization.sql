-- state_server_utilization: adds reports to their five minutes, in the transaction that appends them.
-- Takes   states, {"server_id", "at", "cpu_percent", "memory_percent", "disk_percent", "load"}, one per report.
--         Several of one batch may be of the same five minutes. Derived from the log while its events still have
--         their data; afterwards this is all that is left of them.
create or replace function state_server_utilization(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into server_utilization as u
  select r.server_id, date_bin('5 minutes', r.at, 'epoch'::timestamptz), count(*),
         sum(r.cpu_percent), max(r.cpu_percent), sum(r.memory_percent), max(r.memory_percent),
         sum(r.disk_percent), max(r.disk_percent), sum(r.load), max(r.load)
    from unnest(states) s (state),
         json_to_record(s.state) r (server_id uuid, at timestamptz, cpu_percent float8, memory_percent float8,
           disk_percent float8, load float8)
   group by 1, 2
  on conflict (server_id, bucket) do update set
    samples = u.samples + excluded.samples,
    cpu_sum = u.cpu_sum + excluded.cpu_sum, cpu_max = greatest(u.cpu_max, excluded.cpu_max),
    memory_sum = u.memory_sum + excluded.memory_sum, memory_max = greatest(u.memory_max, excluded.memory_max),
    disk_sum = u.disk_sum + excluded.disk_sum, disk_max = greatest(u.disk_max, excluded.disk_max),
    load_sum = u.load_sum + excluded.load_sum, load_max = greatest(u.load_max, excluded.load_max);
end $$;
