-- runbook_name: whether another runbook has this name now.
-- Takes   name: text; id of the one that wants it: uuid
-- Returns id: uuid; no row when it is free
select id from runbooks where lower(name) = lower($1) and not archived and id <> $2;
