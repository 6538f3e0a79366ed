-- state_notification_channel: stores channels as they stand. What waits for one that sends no more is skipped.
-- Takes   states, the serialised domain::notification::Channel; null or empty does nothing
create or replace function state_notification_channel(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  -- Also when it is enabled again: an event of just before may have been put in the queue since.
  update notification_deliveries d
     set status = 'skipped', reason = 'channel_disabled', next_attempt_at = null, ended_at = now()
    from unnest(states) s (state),
         json_to_record(s.state) r (id uuid, disabled text, deleted boolean), notification_channels c
   where d.channel_id = r.id and d.status = 'pending' and c.id = r.id
     and (r.disabled is not null or r.deleted or c.disabled);
  insert into notification_channels as c (id, name, disabled, deleted, version, state)
  select r.id, r.facts->>'name', r.disabled is not null, r.deleted, r.version, s.state
    from unnest(states) s (state),
         json_to_record(s.state) r (id uuid, facts json, disabled text, deleted boolean, version bigint)
  on conflict (id) do update set
    name = excluded.name, disabled = excluded.disabled, deleted = excluded.deleted, version = excluded.version,
    state = excluded.state, failing_since = case when c.disabled then null else c.failing_since end;
end $$;
