-- events_search: sql/functions/events_search.sql says what it does.
-- Takes   the parameters of events_search
-- Returns whole events
select * from events_search($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);
