-- notification_due: the channels whose first delivery in the queue is due.
-- Returns id: uuid
select c.id
  from notification_channels c
 cross join lateral (
    select next_attempt_at from notification_deliveries d
     where d.channel_id = c.id and d.status = 'pending' order by place limit 1
  ) first
 where not c.disabled and not c.deleted and first.next_attempt_at <= now();
