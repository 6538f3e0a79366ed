-- log_partitions: partitions of log lines made ahead, and old ones dropped.
-- Takes   days to keep: int; 0: all
-- Returns dropped: text, a day per row
select dropped from log_partitions($1);
