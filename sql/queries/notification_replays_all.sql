-- notification_replays_all: the replays that are not through, in the order they were asked for.
-- Returns id: uuid, channel_id: uuid, seq: bigint, until: bigint
select id, channel_id, seq, until from notification_replays order by id;
