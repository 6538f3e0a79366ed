-- runbook_find: one runbook as it is now.
-- Takes   id: uuid
-- Returns state: json
select state from runbooks where id = $1;
