-- users_administer: whether anybody else may do everything.
-- Takes   but for this user: uuid
-- Returns boolean
select exists (select from users where id <> $1 and not disabled and kind = 'person' and 'admin' = any (roles));
