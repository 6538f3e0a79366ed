-- user_find: one user's state.
-- Takes   id: uuid
-- Returns state: json
select state from users where id = $1;
