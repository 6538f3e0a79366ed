-- incident_number: the next incident's number.
-- Returns bigint
select nextval('incident_number');
