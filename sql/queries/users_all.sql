-- users_all: every user's state.
-- Returns state: json
select state from users;
