-- consumer_take: makes a process the one that works under this name, if nobody else does.
-- Takes   name: text; holder: uuid, the process; lease_ms: int, after which others may take over unless it is renewed;
--         from_head: boolean, where a consumer that is new begins: behind the newest event, or before the first
-- Returns fence, epoch and seq (the checkpoint); no row when another process holds it
-- Locks   the consumer's row, until commit
-- Again   harmless: the holder gets a new fence, and its own older one is refused from then on.
create or replace function consumer_take(name text, holder uuid, lease_ms int, from_head boolean)
returns table (fence bigint, epoch uuid, seq bigint)
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into consumers (name, epoch, seq)
  select consumer_take.name, h.epoch, case when consumer_take.from_head then h.seq else 0 end from log_head h
  on conflict do nothing;
  -- After a restore, the checkpoint came back together with the log: it stays, under the history's new name.
  return query
  update consumers c
     set holder = consumer_take.holder, fence = c.fence + 1,
         until = clock_timestamp() + make_interval(secs => consumer_take.lease_ms / 1000.0),
         epoch = h.epoch, seq = least(c.seq, h.seq)
    from log_head h
   where c.name = consumer_take.name and (c.until < clock_timestamp() or c.holder = consumer_take.holder)
  returning c.fence, c.epoch, c.seq;
end $$;
