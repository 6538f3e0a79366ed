-- log_head: the end of the log.
-- Returns epoch: uuid, seq: bigint
select epoch, seq from log_head;
