-- places_take: writes down how many streams a process has open, and takes places for more of them.
-- Takes   process: int, the number that this session registered; most: int, places of one user in all processes;
--         one entry per user: users: uuid[]; held: int[], open in this process now; wanted: int[], places to take besides
-- Returns a row per user who wanted any: user_id; granted: int, the places taken; open: int, the user's in all processes now
-- Locks   the places of all, until commit: of two processes, one sees what the other took.
-- Again   harmless: held is the whole count, not a difference.
create or replace function places_take(process int, users uuid[], held int[], wanted int[], most int)
returns table (user_id uuid, granted int, open int)
language plpgsql
set search_path = pg_catalog, public, pg_temp
set enable_seqscan = off -- the planner takes every unnest for 1,000 rows
as $$
#variable_conflict use_column
declare
  crowded uuid[];
begin
  perform pg_advisory_xact_lock(1886151011, 0);

  -- Before anybody is refused, and only then, the dead are looked for: their locks can be had.
  select array_agg(w.id) into crowded from unnest(users, held, wanted) w (id, held, wanted)
   where w.wanted > 0 and w.held + w.wanted + (select coalesce(sum(p.open), 0) from stream_places p
                                               where p.user_id = w.id and p.process <> places_take.process) > most;
  delete from stream_places p
   where p.user_id = any (crowded) and p.process <> places_take.process and pg_try_advisory_xact_lock(1886151011, p.process);

  return query
  with asked as (
    select w.id, w.held, w.wanted, (select coalesce(sum(p.open), 0)::int from stream_places p
                                     where p.user_id = w.id and p.process <> places_take.process) as elsewhere
      from unnest(users, held, wanted) w (id, held, wanted)
  ), decided as (
    select a.*, greatest(least(a.wanted, most - a.held - a.elsewhere), 0) as granted from asked a
  ), kept as (
    insert into stream_places (user_id, process, open)
    select d.id, places_take.process, d.held + d.granted from decided d where d.held + d.granted > 0
    on conflict (user_id, process) do update set open = excluded.open
  ), gone as (
    delete from stream_places p using decided d
     where p.user_id = d.id and p.process = places_take.process and d.held + d.granted = 0
  )
  select d.id, d.granted, d.held + d.granted + d.elsewhere from decided d where d.wanted > 0;
end $$;
