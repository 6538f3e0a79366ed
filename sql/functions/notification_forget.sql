-- notification_forget: drops deliveries that ended more than 30 days ago, with their attempts; their events stay.
-- Returns how many: bigint, at most 10,000 in one call
create or replace function notification_forget() returns bigint
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
declare
  gone bigint;
begin
  with old as (
    delete from notification_deliveries d where d.id in (
      select o.id from notification_deliveries o where o.ended_at < now() - interval '30 days' limit 10000)
    returning d.id
  ), attempts as (
    delete from notification_attempts a using old where a.delivery_id = old.id
  )
  select count(*) into gone from old;
  return gone;
end $$;
