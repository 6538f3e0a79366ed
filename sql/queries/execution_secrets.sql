-- execution_secrets: the secrets of an execution that has not ended.
-- Takes   execution: uuid
-- Returns name: text, value: text
select name, value from execution_secrets where execution_id = $1;
