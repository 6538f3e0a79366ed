-- incident_find_open: the open incident with a deduplication key; the index incidents_open_dedup_key allows one.
-- Takes   dedup key: text
-- Returns state: json
select state from incidents
 where dedup_key = $1 and dedup_key is not null and status not in ('resolved', 'closed', 'cancelled');
