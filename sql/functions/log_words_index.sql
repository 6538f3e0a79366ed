-- log_words_index: gives the newest partition of log lines whose day is over, and that has none, its index of words.
-- Returns the partition, or null when there is nothing to do or another session is at it
-- Locks   "loglines" in ASCII, as log_partitions does; the partition against writers, of which it has none any more
-- Takes   a minute for a million lines: call it without a statement timeout
create or replace function log_words_index() returns text
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set timezone = 'UTC'
as $$
declare
  installed text := (select x.extnamespace::regnamespace from pg_extension x where x.extname = 'pg_trgm');
  name      text;
begin
  if installed is null or not pg_try_advisory_xact_lock(7813577593834071411) then
    return null;
  end if;
  select c.relname into name
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
   where i.inhparent = 'public.log_lines'::regclass and to_date(right(c.relname, 8), 'YYYYMMDD') < current_date
     and to_regclass('public.' || c.relname || '_words') is null
   order by 1 desc limit 1;
  if name is not null then
    execute format('create index %I on public.%I using gin (message %s.gin_trgm_ops)', name || '_words', name, installed);
  end if;
  return name;
end $$;
