-- server_filters_find: the filters that a user keeps, and the position that is true as of.
-- Takes   user: uuid
-- Returns epoch: uuid, seq: bigint, state: json (null when there are none yet)
select h.epoch, h.seq, f.state from log_head h left join server_filters f on f.user_id = $1;
