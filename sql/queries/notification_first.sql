-- notification_first: the first delivery in a channel's queue, if it is due, with all that its attempt needs.
-- Takes   channel: uuid
-- Returns id: uuid, seq: bigint, attempts: int, channel: json, rule: json, secret and previous: bytea or null,
--         failing_s: double precision, for how long every attempt has failed, or null
select d.id, d.seq, d.attempts, c.state as channel, r.state as rule, s.secret,
       case when s.previous_until > now() then s.previous end as previous,
       extract(epoch from now() - c.failing_since)::double precision as failing_s
  from notification_channels c
 cross join lateral (
    select * from notification_deliveries d where d.channel_id = c.id and d.status = 'pending' order by place limit 1
  ) d
  left join notification_rules r on r.id = d.rule_id
  left join notification_secrets s on s.channel_id = c.id
 where c.id = $1 and not c.disabled and not c.deleted and d.next_attempt_at <= now();
