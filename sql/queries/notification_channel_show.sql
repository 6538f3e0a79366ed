-- notification_channel_show: one channel, what is known of its work, and the position it is true as of.
-- Takes   id: uuid
-- Returns epoch: uuid, seq: bigint; state: json, secret and previous: bytea (all null when there is no such channel)
select h.epoch, h.seq, c.state, s.secret,
       case when s.previous_until > now() then s.previous end as previous
  from log_head h
  left join notification_channels c on c.id = $1 and not c.deleted
  left join notification_secrets s on s.channel_id = c.id;
