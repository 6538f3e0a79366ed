-- incident_find: one incident as it is now.
-- Takes   id: uuid
-- Returns state: json
select state from incidents where id = $1;
