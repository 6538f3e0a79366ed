-- consumed_notifications: puts deliveries into the queues of their channels, in the transaction of the checkpoint.
-- Takes   effects, {"id", "channel_id", "rule_id", "seq", "cause"}, in the order of their events
-- Skips   those of a channel that sends nothing now, and those of a full queue (100,000): the reason stays to be read
create or replace function consumed_notifications(effects json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into notification_deliveries (id, channel_id, rule_id, seq, cause, status, reason, next_attempt_at, ended_at)
  select r.id, r.channel_id, r.rule_id, r.seq, r.cause, case when w.reason is null then 'pending' else 'skipped' end,
         w.reason, case when w.reason is null then now() end, case when w.reason is not null then now() end
    from unnest(effects) with ordinality e (effect, nth),
         json_to_record(e.effect) r (id uuid, channel_id uuid, rule_id uuid, seq bigint, cause text),
         lateral (
           select case when c.disabled or c.deleted then 'channel_disabled'
                       when (select count(*) from (select from notification_deliveries d
                              where d.channel_id = c.id and d.status = 'pending' limit 100000) waiting) = 100000
                       then 'queue_full' end as reason
             from notification_channels c where c.id = r.channel_id
         ) w
   order by e.nth
  on conflict do nothing;
end $$;
