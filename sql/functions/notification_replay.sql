-- notification_replay: moves a replay on together with the deliveries that it leads to, or neither.
-- Takes   fence: bigint, of the consumer `notifications`; id: uuid; from_seq and to_seq: bigint;
--         effects: json[], as for consumed_notifications. At its end the replay is forgotten.
-- Returns whether it did; false: another process has taken over, or this very call was carried out before
-- Locks   the consumer's row and the replay's, until commit
create or replace function notification_replay(fence bigint, id uuid, from_seq bigint, to_seq bigint, effects json[])
returns boolean
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  perform from consumers c where c.name = 'notifications' and c.fence = notification_replay.fence for update;
  if not found then
    return false;
  end if;
  update notification_replays r set seq = notification_replay.to_seq
   where r.id = notification_replay.id and r.seq = notification_replay.from_seq;
  if not found then
    return false;
  end if;
  delete from notification_replays r where r.id = notification_replay.id and r.seq >= r.until;
  perform consumed_notifications(effects);
  return true;
end $$;
