-- session_refresh: exchanges a refresh token for the next, once.
-- Takes   id: uuid; hash of the shown token: bytea; hash of the next: bytea
-- Returns user_id: uuid, and whether it was the newest token; no row when the session is over or unknown
with session as (
  select id, user_id, refresh_hash = $2 as newest from sessions
   where id = $1 and ended_at is null and expires_at > now() for update
), exchanged as (
  update sessions s set refresh_hash = $3, refreshed_at = now()
    from session where s.id = session.id and session.newest
)
select user_id, newest from session;
