-- notification_channels_list: the channels, by name, and the position they are true as of.
-- Returns epoch: uuid, seq: bigint, and per row state: json; at least one row
select h.epoch, h.seq, c.state
  from log_head h
  left join notification_channels c on not c.deleted
 order by c.name;
