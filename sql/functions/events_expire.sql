-- events_expire: lets short-lived events that had their time lose what they said. Hash, place and all else stay.
-- Takes   most: int, how far to go along the log for each type, in events
-- Returns a row per short-lived type: type; swept_seq: bigint, all of its events up to here have lost their data;
--         more: boolean, whether there is more to go over at once
-- Locks   its row of short_lived until commit; a type that another process is at is skipped and told as it was.
create or replace function events_expire(most int) returns table (type text, swept_seq bigint, more boolean)
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set enable_seqscan = off -- the range of seq is always the shortest way
as $$
#variable_conflict use_column
declare
  kind  short_lived;
  upto  bigint;
  until timestamptz;
begin
  for kind in select * from short_lived order by type loop
    type := kind.type; swept_seq := kind.swept_seq; more := false;
    select * into kind from short_lived s where s.type = kind.type for update skip locked;
    if not found then
      return next;
      continue;
    end if;
    until := clock_timestamp() - make_interval(secs => kind.ttl_s);
    -- recorded_at never goes backwards along seq, so what has had its time is a beginning of the range.
    select coalesce(max(e.seq), kind.swept_seq) into upto from events e
     where e.seq > kind.swept_seq and e.seq <= kind.swept_seq + most and e.recorded_at <= until;
    update events e
       set data = ('{"data_hash":"' || encode(sha256(convert_to(e.data::text, 'UTF8')), 'hex') || '","expired":true}')::json
     where e.seq > kind.swept_seq and e.seq <= upto and e.type = kind.type;
    update short_lived s set swept_seq = upto where s.type = kind.type and upto > kind.swept_seq;
    swept_seq := upto; more := upto = kind.swept_seq + most;
    return next;
  end loop;
end $$;
