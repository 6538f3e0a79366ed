-- grants: what the role that serves may do. Run whole at every migrate, after the functions.
-- It may read the log and call append; it owns nothing, so it can neither change an event nor a trigger.
revoke all on log_head, events, streams, idempotency, users, credentials, sessions, stream_tickets, secrets, incidents,
  stream_places, roles, invitations, api_tokens from public, signalbox_app;
revoke all on function append, state_incident, state_user, state_credential, state_session, state_role, state_invitation,
  state_api_token, places_register, places_take
  from public;
grant usage on schema public to signalbox_app;
grant select on log_head, events, streams, users, credentials, incidents, secrets, roles, invitations, api_tokens to signalbox_app;
grant select, delete on idempotency to signalbox_app;
grant select, update on sessions to signalbox_app;
grant update (last_used_at) on api_tokens to signalbox_app;
grant select, insert, delete on stream_tickets to signalbox_app;
grant select, insert, update, delete on stream_places to signalbox_app;
grant usage on sequence incident_number to signalbox_app;
grant execute on function append, places_register, places_take to signalbox_app;
