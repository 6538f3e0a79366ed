-- incidents_demo: the incidents that demo traffic made and that are not over, oldest first.
-- Takes   actor: text, the one who made them
-- Returns state; at most 100, more than the demo ever opens
select state from incidents
 where status in ('triggered', 'acknowledged', 'investigating', 'mitigated', 'resolved')
   and labels @> '{"demo": "true"}' and state ->> 'created_by' = $1
 order by created_at
 limit 100;
