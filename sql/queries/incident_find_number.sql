-- incident_find_number: the incident called INC-<number>.
-- Takes   number: bigint
-- Returns state: json
select state from incidents where number = $1;
