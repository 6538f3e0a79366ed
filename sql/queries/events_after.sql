-- events_after: the log behind a position, in order.
-- Takes   position: bigint; most rows: bigint
-- Returns whole events
select * from events where seq > $1 order by seq limit $2;
