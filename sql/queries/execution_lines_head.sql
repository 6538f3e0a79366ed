-- execution_lines_head: how much an execution has printed.
-- Takes   execution: uuid
-- Returns lines: bigint, bytes: bigint
select coalesce(max(line), 0) as lines, coalesce(sum(octet_length(text)), 0)::bigint as bytes
  from execution_lines where execution_id = $1;
