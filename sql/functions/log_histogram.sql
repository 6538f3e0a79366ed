-- log_histogram: how many lines of a search there are, by time and level.
-- Takes   the parameters of log_filter that a list has; width_s: bigint, seconds of a bucket
-- Returns a row per bucket and level that has lines: its beginning, the level, how many
create or replace function log_histogram(since timestamptz, before timestamptz, lowest smallint, source text, server text,
                                         execution uuid, words text[], fields_wanted json, width_s bigint)
returns table (beginning timestamptz, level smallint, lines bigint)
language plpgsql stable
set search_path = pg_catalog, public, pg_temp
set jit = off
as $$
begin
  return query execute format(
    'select date_bin(make_interval(secs => %s), at, ''epoch''), level, count(*) from log_lines where %s group by 1, 2 order by 1, 2',
    width_s, log_filter(since, before, lowest, source, server, execution, words, fields_wanted, null, null));
end $$;
