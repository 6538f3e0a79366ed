-- state_notification_rule: stores rules as they stand, in the transaction of the append that made them so.
-- Takes   states, the serialised domain::notification::Rule; null or empty does nothing
create or replace function state_notification_rule(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into notification_rules
  select r.id, (r.facts->>'channel')::uuid, r.deleted, r.version, s.state
    from unnest(states) s (state),
         json_to_record(s.state) r (id uuid, facts json, deleted boolean, version bigint)
  on conflict (id) do update set
    channel_id = excluded.channel_id, deleted = excluded.deleted, version = excluded.version, state = excluded.state;
end $$;
