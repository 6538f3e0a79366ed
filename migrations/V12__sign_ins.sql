-- When somebody signed in last stands in each row of the list of users. With the time in the index that is one look,
-- however often they did.
create index sessions_user_created on sessions (user_id, created_at);
drop index sessions_user; -- its every use is of the new one's first column
