-- invitation_find: whose invitation this is.
-- Takes   hash: bytea
-- Returns state: json of the user; no row when it is used, old or unknown
select u.state from invitations i join users u on u.id = i.user_id where i.hash = $1 and i.expires_at > now();
