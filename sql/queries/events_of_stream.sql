-- events_of_stream: one stream's events behind a version, in order.
-- Takes   stream: text; version: bigint; most rows: bigint
-- Returns whole events
select * from events where stream = $1 and version > $2 order by version limit $3;
