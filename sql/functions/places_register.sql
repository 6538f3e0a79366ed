-- places_register: makes this session stand for a process, and writes down the streams that it has open.
-- Takes   process: int, a number from 1 drawn for this session; one entry per user: users: uuid[], held: int[], from 1
-- Returns whether the number was free; if not, nothing was written
-- Locks   the number, until the session ends: its end, however it comes, gives all its places back.
--         (1886151011 is "plac" in ASCII; number 0 is the lock on the places of all, held until commit.)
create or replace function places_register(process int, users uuid[], held int[]) returns boolean
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  perform pg_advisory_xact_lock(1886151011, 0);
  if not pg_try_advisory_lock(1886151011, places_register.process) then
    return false;
  end if;
  -- Whose lock can be had is dead. The number's own rows, left by an earlier holder, go as well.
  delete from stream_places p where pg_try_advisory_xact_lock(1886151011, p.process);
  insert into stream_places (user_id, process, open)
  select h.user_id, places_register.process, h.open from unnest(users, held) h (user_id, open);
  return true;
end $$;
