-- dashboard_automations: executions of runbooks for a dashboard, as JSON; a part of the query in projections/dashboard.rs.
-- Takes   $1 window in hours: int
-- Returns how many are under way, and how those that began within the window ended
-- Counts  as a success what succeeded, of all that ended by itself: what a person ended says nothing
select json_build_object(
         'queued', u.queued, 'running', u.running, 'waiting_approval', u.waiting_approval,
         'succeeded', e.succeeded, 'failed', e.failed, 'timed_out', e.timed_out, 'cancelled', e.cancelled,
         'success', e.succeeded::float8 / nullif(e.succeeded + e.failed + e.timed_out, 0))
  from (
    select count(*) filter (where status = 'queued') as queued,
           count(*) filter (where status = 'running') as running,
           count(*) filter (where status = 'waiting_approval') as waiting_approval
      from execution_leases
  ) u, (
    select count(*) filter (where status = 'succeeded') as succeeded,
           count(*) filter (where status = 'failed') as failed,
           count(*) filter (where status = 'timed_out') as timed_out,
           count(*) filter (where status = 'cancelled') as cancelled
      from executions where queued_at > now() - make_interval(hours => $1)
  ) e
