-- state_notification_replay: begins to send events of the past again.
-- Takes   states, {"id", "channel_id", "after", "until"}; until null: the head before this append
create or replace function state_notification_replay(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into notification_replays
  select r.id, r.channel_id, r.after, least(coalesce(r.until, h.seq), h.seq)
    from unnest(states) s (state), log_head h,
         json_to_record(s.state) r (id uuid, channel_id uuid, after bigint, until bigint);
end $$;
