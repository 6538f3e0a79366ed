-- consumer_advance: moves a consumer's checkpoint together with what the events led to, or neither.
-- Takes   name: text; fence: bigint; from_seq: bigint, where the checkpoint must be; to_seq: bigint;
--         effects: json[], stored by consumed_<name>(json[]); empty: the checkpoint only
-- Returns whether it did; false: another process has taken over, or this very call was carried out before
-- Locks   the consumer's row, until commit: whoever takes over sees the effects
create or replace function consumer_advance(name text, fence bigint, from_seq bigint, to_seq bigint, effects json[])
returns boolean
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  update consumers c set seq = consumer_advance.to_seq
   where c.name = consumer_advance.name and c.fence = consumer_advance.fence and c.seq = consumer_advance.from_seq;
  if not found then
    return false;
  end if;
  if cardinality(effects) > 0 then
    execute format('select %I($1)', 'consumed_' || name) using effects;
  end if;
  return true;
end $$;
