-- events_expire: sql/functions/events_expire.sql says what it does.
-- Takes   how far to go along the log for each type, in events: int
-- Returns type: text, swept_seq: bigint, more: boolean
select type, swept_seq, more from events_expire($1);
