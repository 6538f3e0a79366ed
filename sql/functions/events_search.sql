-- events_search: what a reader may see of a stretch of the log, or of one stream. Planned for each search, because one
-- plan for all of them would fit none; the way is always along the stretch, which the caller keeps short. A
-- correlation has an index, so that the stretch may then be longer.
-- Takes   stream: text (null: along the log, where places are seq; else along it, where they are versions);
--         above, upto: bigint, the stretch: above < place <= upto; types: text[]; actor: text, its id;
--         actor_name: text; correlation: uuid; session: text (each null: any);
--         permissions: text[], what the reader may do; descending: boolean; most: bigint, events;
--         bytes: bigint, of their data together: with the event that brings them there, the page is full
-- Returns whole events, in order
create or replace function events_search(
  stream text, above bigint, upto bigint, types text[], actor text, actor_name text, correlation uuid, session text,
  permissions text[], descending boolean, most bigint, bytes bigint
) returns setof events
language plpgsql stable
set search_path = pg_catalog, public, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_indexscan = on -- set here, so that what is set below ends with the call
as $$
declare
  place     text := case when stream is null then 'e.seq' else 'e.version' end;
  direction text := case when descending then 'desc' else 'asc' end;
begin
  if correlation is not null and stream is null then
    perform set_config('enable_bitmapscan', 'on', true), set_config('enable_indexscan', 'off', true);
  end if;
  return query execute format(
    'select (s.e).* from (
       select f.e, sum(octet_length((f.e).data::text)) over w - octet_length((f.e).data::text) as bytes_before from (
         select e from events e
          where %1$s > $2 and %1$s <= $3 and ($1 is null or e.stream = $1)
            and ($4 is null or e.type = any ($4)) and ($5 is null or e.actor = $5) and ($6 is null or e.actor_name = $6)
            and ($7 is null or e.correlation_id = $7) and ($8 is null or e.session_id = $8)
            and (e.permissions = ''{}'' or e.permissions && $9)
          order by %1$s %2$s limit $10) f
       window w as (order by (f.e).seq %2$s rows unbounded preceding)) s
      where s.bytes_before < $11
      order by (s.e).seq %2$s', place, direction)
    using stream, above, upto, types, actor, actor_name, correlation, session, permissions, most, bytes;
end $$;
