-- runbooks_scheduled: runbooks that times can start, and up to which time that is done with.
-- Returns state: json, taken: timestamptz
select r.state, greatest(r.scheduled_from,
         (select max(e.scheduled_for) from executions e where e.runbook_id = r.id and e.scheduled_for is not null)) as taken
  from runbooks r
 where r.scheduled;
