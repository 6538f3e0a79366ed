-- executions_depth: how deep the chain of executions is that belong to one first command.
-- Takes   correlation: uuid
-- Returns depth: int, of the next one; 0 when there is none
select coalesce(max(depth) + 1, 0) as depth from executions where correlation_id = $1;
