-- grants: what the role that serves may do. Run whole at every migrate, after the functions; a section per module.
-- It may read the log and call append; it owns nothing, so it can neither change an event nor a trigger.
grant usage on schema public to signalbox_app;

-- The log
revoke all on log_head, events, streams, idempotency from public, signalbox_app;
revoke all on function append from public;
grant select on log_head, events, streams, idempotency to signalbox_app;
grant delete on idempotency to signalbox_app;
grant execute on function append to signalbox_app;

-- Streams
revoke all on stream_places, stream_tickets from public, signalbox_app;
revoke all on function places_register, places_take from public;
grant select, insert, update, delete on stream_places to signalbox_app;
grant select, insert, delete on stream_tickets to signalbox_app;
grant execute on function places_register, places_take to signalbox_app;

-- Users
revoke all on users, credentials, sessions, secrets, roles, invitations, api_tokens from public, signalbox_app;
revoke all on function state_user, state_credential, state_session, state_role, state_invitation, state_api_token
  from public;
grant select on users, credentials, sessions, secrets, roles, invitations, api_tokens to signalbox_app;
grant update on sessions to signalbox_app;
grant update (last_used_at) on api_tokens to signalbox_app;

-- Incidents
revoke all on incidents from public, signalbox_app;
revoke all on function state_incident from public;
grant select on incidents to signalbox_app;
grant usage on sequence incident_number to signalbox_app;

-- Consumers of the log
revoke all on consumers from public, signalbox_app;
revoke all on function state_consumer, consumer_take, consumer_renew, consumer_advance from public;
grant select on consumers to signalbox_app;
grant execute on function consumer_take, consumer_renew, consumer_advance to signalbox_app;

-- Log lines
revoke all on log_lines from public, signalbox_app;
revoke all on function state_log_lines, log_partition_add, log_partitions, log_words_index from public;
grant select on log_lines to signalbox_app;
grant execute on function log_partitions, log_words_index to signalbox_app;

-- Servers: what is measured, and who tests which, is no state and has no event.
revoke all on servers, server_statuses, server_credentials, server_filters, server_checks, server_probes, server_utilization,
  short_lived from public, signalbox_app;
revoke all on function events_expire, state_server, state_server_credential, state_server_filters, state_server_utilization
  from public;
grant select on servers, server_statuses, server_filters, server_utilization, short_lived to signalbox_app;
grant delete on server_utilization to signalbox_app;
grant select, update on server_checks to signalbox_app;
grant select, insert, delete on server_probes to signalbox_app;
grant execute on function events_expire to signalbox_app;

-- Notifications
revoke all on notification_channels, notification_rules, notification_secrets, notification_deliveries,
  notification_attempts, notification_replays from public, signalbox_app;
revoke all on function state_notification_channel, state_notification_rule, state_notification_secret,
  state_notification_replay, state_notification_attempt, consumed_notifications, notification_replay,
  notification_forget from public;
grant select on notification_channels, notification_rules, notification_secrets, notification_deliveries,
  notification_attempts, notification_replays to signalbox_app;
grant execute on function notification_replay, notification_forget to signalbox_app;

-- Runbooks
revoke all on runbooks, executions, execution_leases, execution_secrets from public, signalbox_app;
revoke all on function state_runbook, state_execution, state_execution_secret, state_execution_fence, execution_claim
  from public;
grant select on runbooks, executions, execution_secrets to signalbox_app;
grant select, update on execution_leases to signalbox_app;
grant usage on sequence execution_token to signalbox_app;
grant execute on function execution_claim to signalbox_app;
