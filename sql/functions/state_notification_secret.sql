-- state_notification_secret: keeps a channel's new secret, and the one before for a while.
-- Takes   states, {"channel_id", "secret" (hex), "overlap_s"}; not derived from the log
create or replace function state_notification_secret(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into notification_secrets as old (channel_id, secret)
  select r.channel_id, decode(r.secret, 'hex')
    from unnest(states) s (state), json_to_record(s.state) r (channel_id uuid, secret text)
  on conflict (channel_id) do nothing;
  update notification_secrets n
     set previous = n.secret, previous_until = now() + make_interval(secs => r.overlap_s), secret = decode(r.secret, 'hex')
    from unnest(states) s (state), json_to_record(s.state) r (channel_id uuid, secret text, overlap_s int)
   where n.channel_id = r.channel_id and n.secret <> decode(r.secret, 'hex');
end $$;
