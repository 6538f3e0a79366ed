-- states_all: every current state that is derived from the log.
-- Returns kind: text, id: uuid, state: text, byte for byte as stored
select 'incident' as kind, id, state::text as state from incidents
union all
select 'user', id, state::text from users
union all
select 'server', id, state::text from servers
union all
select 'server_filters', user_id, state::text from server_filters
union all
select 'runbook', id, state::text from runbooks
union all
select 'execution', id, state::text from executions
union all
select 'notification-channel', id, state::text from notification_channels
union all
select 'notification-rule', id, state::text from notification_rules
union all

select 'role', id, state::text from roles;
