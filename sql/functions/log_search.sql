-- log_search: lines of a search in the order (at, seq, line), behind a place.
-- Takes   the parameters of log_filter; the place at, seq, line (null: from the first on);
--         descending: boolean; most: bigint, rows
-- Returns whole lines
create or replace function log_search(
  since timestamptz, before timestamptz, lowest smallint, source text, server text, execution uuid, words text[],
  fields_wanted json, batch bigint, upto bigint, place_at timestamptz, place_seq bigint, place_line int, descending boolean, most bigint
) returns setof log_lines
language plpgsql stable
set search_path = pg_catalog, public, pg_temp
set jit = off
as $$
declare
  direction text := case when descending then 'desc' else 'asc' end;
  behind    text := case when place_at is null then '' else
    format('and (at, seq, line) %s (%L::timestamptz, %s, %s)', case when descending then '<' else '>' end,
           place_at, place_seq, place_line) end;
begin
  return query execute format(
    'select * from log_lines where %s %s order by at %3$s, seq %3$s, line %3$s limit %4$s',
    log_filter(since, before, lowest, source, server, execution, words, fields_wanted, batch, upto), behind, direction, most);
end $$;
