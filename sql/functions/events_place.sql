-- events_place: how far along the log, or along one stream, a condition holds that only ever ceases to hold. A binary
-- search: `recorded_at` never goes backwards along `seq`, nor `seq` along versions, so that neither needs an index.
-- Takes   stream: text (null: along the log, where places are seq; else along it, where they are versions);
--         last: bigint, the last place there is; at: timestamptz; upto: bigint (each null: any)
-- Returns the last place whose event was recorded before `at` and has a seq up to `upto`; 0: there is none
create or replace function events_place(stream text, last bigint, at timestamptz, upto bigint) returns bigint
language plpgsql stable
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_variable
declare
  low    bigint := 0;    -- here it holds
  high   bigint := last; -- behind here it does not
  middle bigint;
  holds  boolean;
begin
  while low < high loop
    middle := (low + high + 1) / 2;
    if stream is null then
      select (at is null or e.recorded_at < at) and (upto is null or e.seq <= upto) into holds
        from events e where e.seq = middle;
    else
      select (at is null or e.recorded_at < at) and (upto is null or e.seq <= upto) into holds
        from events e where e.stream = stream and e.version = middle;
    end if;
    if holds then low := middle; else high := middle - 1; end if;
  end loop;
  return low;
end $$;
