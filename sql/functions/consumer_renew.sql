-- consumer_renew: goes on holding a consumer, or with 0 ms gives it back.
-- Takes   name: text; fence: bigint, as consumer_take gave it; lease_ms: int, from now on
-- Returns whether it was still held under this fence; if not, nothing was changed
-- Locks   the consumer's row, until commit
create or replace function consumer_renew(name text, fence bigint, lease_ms int) returns boolean
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  update consumers c
     set until = case when consumer_renew.lease_ms = 0 then '-infinity'
                      else clock_timestamp() + make_interval(secs => consumer_renew.lease_ms / 1000.0) end
   where c.name = consumer_renew.name and c.fence = consumer_renew.fence;
  return found;
end $$;
