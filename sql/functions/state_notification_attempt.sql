-- state_notification_attempt: writes down an attempt, in the transaction of the event that tells of it.
-- Takes   states, {"delivery_id", "channel_id", "attempt", "at", "outcome", "reason", "detail", "response", "latency_ms",
--         "retry_in_s", "test"}; retry_in_s null: there will be no other
create or replace function state_notification_attempt(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
  a record;
begin
  for a in
    select r.* from unnest(states) s (state), json_to_record(s.state) r (delivery_id uuid, channel_id uuid,
      attempt int, at timestamptz, outcome text, reason text, detail text, response text, latency_ms int,
      retry_in_s double precision, test boolean)
  loop
    if a.test then
      insert into notification_deliveries (id, channel_id, cause, status) values (a.delivery_id, a.channel_id, 'test', 'pending');
    end if;
    insert into notification_attempts
    values (a.delivery_id, a.attempt, a.at, a.outcome, a.reason, a.detail, a.response, a.latency_ms);
    -- One that was skipped while it was under way stays so, unless it arrived.
    update notification_deliveries d
       set attempts = a.attempt, reason = a.reason,
           status = case when a.outcome = 'sent' then 'sent' when a.retry_in_s is null then 'failed' else 'pending' end,
           next_attempt_at = case when a.outcome = 'failed' then now() + make_interval(secs => a.retry_in_s) end,
           ended_at = case when a.outcome = 'sent' or a.retry_in_s is null then now() end
     where d.id = a.delivery_id and (d.status = 'pending' or a.outcome = 'sent');
    update notification_channels c
       set failing_since = case when a.outcome = 'failed' then coalesce(c.failing_since, a.at) end
     where c.id = a.channel_id and (c.failing_since is null) = (a.outcome = 'failed');
  end loop;
end $$;
