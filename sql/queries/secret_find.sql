-- secret_find: a key that all processes share.
-- Takes   name: text
-- Returns value: bytea
select value from secrets where name = $1;
