-- states_all: every current state that is derived from the log.
-- Returns kind: text, id: uuid, state: text, byte for byte as stored
select 'incident' as kind, id, state::text as state from incidents
union all
select 'user', id, state::text from users
union all
select 'server', id, state::text from servers
union all
select 'server_filters', user_id, state::text from server_filters;
