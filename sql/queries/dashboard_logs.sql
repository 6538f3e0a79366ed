-- dashboard_logs: log lines for a dashboard, as JSON; a part of the query in projections/dashboard.rs.
-- Returns how many lines were written within the last minute, and how bad they are
select json_build_object(
         'lines_per_s', count(*) / 60.0,
         'warnings', count(*) filter (where level = 4),
         'errors', count(*) filter (where level >= 5))
  from log_lines where at > now() - interval '1 minute' and at <= now()
