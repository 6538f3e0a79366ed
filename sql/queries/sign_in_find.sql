-- sign_in_find: what a sign-in is checked against.
-- Takes   username: text, lower case
-- Returns state: json, password_hash: text
select u.state, c.password_hash from users u join credentials c on c.user_id = u.id where u.username = $1;
