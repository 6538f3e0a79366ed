-- dashboard_notifications: deliveries for a dashboard, as JSON; a part of the query in projections/dashboard.rs.
-- Takes   $1 window in hours: int
-- Returns how many wait, how those ended that ended within the window, and how many channels are switched off
-- Counts  as a success what was sent, of all that was tried to the end; tests are not counted
select json_build_object(
         'pending', (select count(*) from notification_deliveries where status = 'pending' and cause <> 'test'),
         'sent', e.sent, 'failed', e.failed, 'skipped', e.skipped,
         'success', e.sent::float8 / nullif(e.sent + e.failed, 0),
         'channels_disabled', (select count(*) from notification_channels where disabled and not deleted))
  from (
    select count(*) filter (where status = 'sent') as sent,
           count(*) filter (where status = 'failed') as failed,
           count(*) filter (where status = 'skipped') as skipped
      from notification_deliveries
     where ended_at > now() - make_interval(hours => $1) and cause <> 'test'
  ) e
