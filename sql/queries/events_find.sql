-- events_find: which of a lost batch's events are in the log.
-- Takes   the last head known before the batch: bigint; first event id of each command: uuid[]
-- Returns id, seq, recorded_at of those that are there
select id, seq, recorded_at from events where seq > $1 and id = any ($2);
