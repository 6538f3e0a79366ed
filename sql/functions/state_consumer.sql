-- state_consumer: moves a consumer's checkpoint in the transaction of the append that its events led to.
-- Takes   states, {"name", "fence", "from_seq", "to_seq"}; to_seq is null where only the fence is to be looked at
-- Raises  stale_consumer when another process has taken over: then nothing is appended
-- Locks   the consumer's row, until commit
create or replace function state_consumer(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
  wish record;
begin
  for wish in
    select r.* from unnest(states) s (state),
                    json_to_record(s.state) r (name text, fence bigint, from_seq bigint, to_seq bigint)
  loop
    update consumers c set seq = coalesce(wish.to_seq, c.seq)
     where c.name = wish.name and c.fence = wish.fence and (wish.to_seq is null or c.seq = wish.from_seq);
    if not found then
      raise exception 'another process consumes % by now', wish.name using errcode = 'SB001', constraint = 'stale_consumer';
    end if;
  end loop;
end $$;
