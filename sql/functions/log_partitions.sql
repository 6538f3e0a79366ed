-- log_partitions: makes the partitions of log lines for the days to come, and drops those that are too old.
-- Takes   retention_days: int, how many days before today stay; 0: all do
-- Returns dropped: text, a row per day that was dropped, as 2026-11-21
-- Locks   "loglines" in ASCII, so that one session does it at a time; another finds nothing to do.
--         Dropping waits for whoever uses the lines, at most 200 ms, because appends wait behind it; then it fails
--         whole and is tried again later.
create or replace function log_partitions(retention_days int) returns table (dropped text)
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set lock_timeout = '200ms'
set timezone = 'UTC'
as $$
declare
  ahead constant int := 7; -- days, so that a database that nobody serves for a weekend still has its next day
  today constant date := current_date;
  old   record;
begin
  if not pg_try_advisory_xact_lock(7813577593834071411) then
    return;
  end if;
  for nth in 0..ahead loop
    perform log_partition_add(today + nth);
  end loop;
  if retention_days <= 0 then
    return;
  end if;
  for old in
    select c.relname as name, to_date(right(c.relname, 8), 'YYYYMMDD') as day
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'public.log_lines'::regclass and to_date(right(c.relname, 8), 'YYYYMMDD') < today - retention_days
     order by 1
  loop
    execute format('drop table public.%I', old.name);
    dropped := old.day::text;
    return next;
  end loop;
end $$;
