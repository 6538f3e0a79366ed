-- execution_printed: how much an execution has printed.
-- Takes   execution: uuid
-- Returns lines: bigint, bytes: bigint
select count(*) as lines, coalesce(sum(octet_length(message)), 0)::bigint as bytes
  from log_lines where execution = $1;
