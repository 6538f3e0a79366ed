-- execution_find: one execution as it is now.
-- Takes   id: uuid
-- Returns state: json
select state from executions where id = $1;
