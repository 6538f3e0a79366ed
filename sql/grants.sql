-- grants: what the role that serves may do. Run whole at every migrate, after the functions.
-- It may read the log and call append; it owns nothing, so it can neither change an event nor a trigger.
revoke all on log_head, events, streams, idempotency, users, credentials, sessions, stream_tickets, secrets, incidents,
  stream_places, consumers, log_lines, runbooks, executions, execution_leases, execution_secrets,
  notification_channels, notification_rules, notification_secrets, notification_deliveries,
  notification_attempts, notification_replays from public, signalbox_app;
revoke all on function append, state_incident, state_user, state_credential, state_session, places_register, places_take,
  state_consumer, consumer_take, consumer_renew, consumer_advance, state_notification_channel, state_notification_rule,
  state_notification_secret, state_notification_replay, state_notification_attempt, consumed_notifications,
  notification_replay, notification_forget, state_log_lines, log_partition_add, log_partitions, log_words_index,
  state_runbook, state_execution, state_execution_secret, state_execution_fence, execution_claim from public;
grant usage on schema public to signalbox_app;
grant select on log_head, events, streams, users, credentials, incidents, log_lines, secrets to signalbox_app;
grant select on runbooks, executions, execution_secrets to signalbox_app;
grant select, update on execution_leases to signalbox_app;
grant select, delete on idempotency to signalbox_app;
grant select, update on sessions to signalbox_app;
grant select, insert, delete on stream_tickets to signalbox_app;
grant select, insert, update, delete on stream_places to signalbox_app;
grant select on consumers, notification_channels, notification_rules, notification_secrets, notification_deliveries,
  notification_attempts, notification_replays to signalbox_app;
grant usage on sequence incident_number to signalbox_app;
grant execute on function append, places_register, places_take, consumer_take, consumer_renew, consumer_advance,
  notification_replay, notification_forget, log_partitions, log_words_index to signalbox_app;
grant usage on sequence execution_token to signalbox_app;
grant execute on function execution_claim to signalbox_app;
