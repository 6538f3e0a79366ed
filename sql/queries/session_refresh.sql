-- session_refresh: exchanges a refresh token for the next, once.
-- Takes   id: uuid; hash of the shown token: bytea; hash of the next: bytea
-- Returns user_id: uuid; newest: boolean, exchanged; used: boolean, it was exchanged before;
--         no row when the session is over or unknown
with session as (
  -- The next one is there already when this very statement is sent again after a lost connection.
  select id, user_id, refresh_hash in ($2, $3) as newest, used_hash is not distinct from $2 as used from sessions
   where id = $1 and ended_at is null and expires_at > now() for update
), exchanged as (
  update sessions s set used_hash = $2, refresh_hash = $3, refreshed_at = now()
    from session where s.id = session.id and session.newest
)
select user_id, newest, used from session;
