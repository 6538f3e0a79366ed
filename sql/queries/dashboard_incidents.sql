-- dashboard_incidents: incidents for a dashboard, as JSON; a part of the query in projections/dashboard.rs.
-- Takes   $1 window in hours: int; $2 time zone: text; a CTE figures: what incident_statistics returns;
--         a CTE span (unit, starts): 'hour' or 'day', and the beginning of the first
-- Returns the figures, and how many came and went in each hour or day, the last of which is not over yet
-- Counts  as incident_statistics does
select json_build_object(
         'open', json_build_object(
           'total', (select sum(n) from unnest(f.by_status) n),
           'by_status', json_build_object('triggered', f.by_status[1], 'acknowledged', f.by_status[2],
             'investigating', f.by_status[3], 'mitigated', f.by_status[4]),
           'by_severity', json_build_object('P0', f.by_severity[1], 'P1', f.by_severity[2], 'P2', f.by_severity[3],
             'P3', f.by_severity[4], 'P4', f.by_severity[5])),
         'time_to_acknowledge', json_build_object('measured', f.acknowledged, 'mean_s', f.acknowledged_mean,
           'p50_s', f.acknowledged_percentiles[1], 'p90_s', f.acknowledged_percentiles[2], 'p95_s', f.acknowledged_percentiles[3]),
         'time_to_resolve', json_build_object('measured', f.resolved, 'mean_s', f.resolved_mean,
           'p50_s', f.resolved_percentiles[1], 'p90_s', f.resolved_percentiles[2], 'p95_s', f.resolved_percentiles[3]),
         'trend', (
           select json_agg(json_build_object('at', b.at, 'created', coalesce(c.n, 0), 'resolved', coalesce(r.n, 0)) order by b.at)
             from buckets b
             left join (
               select date_trunc(s.unit, i.created_at, $2) as at, count(*) as n
                 from incidents i, span s where i.updated_at >= s.starts and i.created_at >= s.starts group by 1
             ) c on c.at = b.at
             left join (
               select date_trunc(s.unit, (i.state ->> 'resolved_at')::timestamptz, $2) as at, count(*) as n
                 from incidents i, span s
                where i.updated_at >= s.starts and (i.state ->> 'resolved_at')::timestamptz >= s.starts
                  and i.status <> 'cancelled' and i.state ->> 'merged_into' is null
                group by 1
             ) r on r.at = b.at))
  from figures f
