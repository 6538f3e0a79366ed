-- log_partition_add: makes the partition of a day, in UTC, if it is not there.
-- Takes   day: date
-- Locks   nothing that readers or writers of lines wait for: attaching, unlike creating, lets them go on
create or replace function log_partition_add(day date) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
set timezone = 'UTC'
as $$
declare
  name text := 'log_lines_' || to_char(day, 'YYYYMMDD');
begin
  if to_regclass('public.' || name) is not null then
    return;
  end if;
  execute format('create table public.%I (like public.log_lines)', name);
  execute format('alter table public.log_lines attach partition public.%I for values from (%L) to (%L)',
                 name, day::timestamptz, (day + 1)::timestamptz);
end $$;
