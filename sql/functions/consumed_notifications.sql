-- consumed_notifications: puts deliveries into the queues of their channels, in the transaction of the checkpoint.
-- Takes   effects, {"id", "channel_id", "rule_id", "seq", "cause"}, in the order of their events
-- Skips   those of a channel that sends nothing now, and those of a full queue (100,000): the reason stays to be read,
--         of 10,000 for each channel
create or replace function consumed_notifications(effects json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  with wanted as (
    select r.*, e.nth
      from unnest(effects) with ordinality e (effect, nth),
           json_to_record(e.effect) r (id uuid, channel_id uuid, rule_id uuid, seq bigint, cause text)
  ), standing as (
    select c.id, case when c.disabled or c.deleted then 'channel_disabled'
                      when (select count(*) from (select from notification_deliveries d
                             where d.channel_id = c.id and d.status = 'pending' limit 100000) waiting) = 100000
                      then 'queue_full' end as reason,
           (select count(*) from (select from notification_deliveries d
             where d.channel_id = c.id and d.status = 'skipped' limit 10000) left_out) = 10000 as silent
      from notification_channels c where c.id in (select channel_id from wanted)
  )
  insert into notification_deliveries (id, channel_id, rule_id, seq, cause, status, reason, next_attempt_at, ended_at)
  select w.id, w.channel_id, w.rule_id, w.seq, w.cause, case when s.reason is null then 'pending' else 'skipped' end,
         s.reason, case when s.reason is null then now() end, case when s.reason is not null then now() end
    from wanted w join standing s on s.id = w.channel_id
   where s.reason is null or not s.silent
   order by w.nth
  on conflict do nothing;
end $$;
