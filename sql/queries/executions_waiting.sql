-- executions_waiting: executions of a runbook that have not ended.
-- Takes   runbook: uuid
-- Returns count: bigint
select count(*) from execution_leases where runbook_id = $1;
