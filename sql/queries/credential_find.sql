-- credential_find: the hash of a user's password.
-- Takes   user: uuid
-- Returns password_hash: text; no row: none was set
select password_hash from credentials where user_id = $1;
