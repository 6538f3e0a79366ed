-- session_find: whether a sign-in of this user is not over.
-- Takes   id: uuid; user: uuid
-- Returns id; no row when it is over, unknown or somebody else's
select id from sessions where id = $1 and user_id = $2 and ended_at is null and expires_at > now();
