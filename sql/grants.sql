-- grants: what the role that serves may do. Run whole at every migrate, after the functions.
-- It may read the log and call append; it owns nothing, so it can neither change an event nor a trigger.
revoke all on log_head, events, streams, idempotency, users, credentials, sessions, stream_tickets, secrets, incidents,
  stream_places, consumers from public, signalbox_app;
revoke all on function append, state_incident, state_user, state_credential, state_session, places_register, places_take,
  state_consumer, consumer_take, consumer_renew, consumer_advance from public;
grant usage on schema public to signalbox_app;
grant select on log_head, events, streams, users, credentials, incidents, secrets to signalbox_app;
grant select, delete on idempotency to signalbox_app;
grant select, update on sessions to signalbox_app;
grant select, insert, delete on stream_tickets to signalbox_app;
grant select, insert, update, delete on stream_places to signalbox_app;
grant select on consumers to signalbox_app;
grant usage on sequence incident_number to signalbox_app;
grant execute on function append, places_register, places_take, consumer_take, consumer_renew, consumer_advance
  to signalbox_app;

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
