-- log_filter: the condition that the lines of a search fulfil, as SQL. Written for each search, because one plan for
-- all of them would fit none. Every value in it is quoted.
-- Takes   since, before: timestamptz, of the line's own time; lowest: smallint, a level; source, server: text;
--         execution: uuid; words: text[], each somewhere in the message, in any case; fields_wanted: json,
--         [{"key", "text", "number"}], each a member of the line's fields that is this text, or where it is a
--         number, this one however it is written; batch: bigint, an event's seq; upto: bigint, the last seq to see
--         (each null: any)
-- Counts  on domain::logs::AHEAD_S: a line is recorded at its own time less an hour, or later. One hour more is for
--         clocks that differ. So days that ended before are not looked at.
create or replace function log_filter(since timestamptz, before timestamptz, lowest smallint, source text, server text,
                                      execution uuid, words text[], fields_wanted json, batch bigint, upto bigint) returns text
language sql stable
set search_path = pg_catalog, public, pg_temp
as $$
  -- What is null makes its condition null, and concat_ws leaves it out.
  select concat_ws(' and ', 'true',
    'at >= ' || quote_literal(since),
    'recorded_at >= ' || quote_literal(since - interval '2 hours'),
    'at < ' || quote_literal(before),
    'level >= ' || lowest,
    'source = ' || quote_literal(source),
    'server = ' || quote_literal(server),
    'execution = ' || quote_literal(execution),
    'seq = ' || batch,
    'seq <= ' || upto,
    (select string_agg('message ilike ' || quote_literal('%' || regexp_replace(w.word, '([\\%_])', '\\\1', 'g') || '%'), ' and ')
       from unnest(words) w (word)),
    -- Last: beside a condition that an index knows, it is looked at for few lines.
    (select string_agg(case when f.number is null then format('fields ->> %L = %L', f.key, f.text)
              else format('(fields ->> %1$L = %2$L or case json_typeof(fields -> %1$L) when ''number'' then (fields ->> %1$L)::float8 = %3$L end)',
                          f.key, f.text, f.number) end, ' and ')
       from json_to_recordset(fields_wanted) f (key text, text text, number float8)))
$$;
