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
revoke all on users, credentials, sessions, secrets from public, signalbox_app;
revoke all on function state_user, state_credential, state_session from public;
grant select on users, credentials, sessions, secrets to signalbox_app;
grant update on sessions to signalbox_app;

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
