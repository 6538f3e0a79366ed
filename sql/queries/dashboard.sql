-- dashboard: what the modules' parts count, in one snapshot.
-- Takes   $1 window in hours: int; $2 time zone: text; $3 permissions of those who ask: text[]
-- Returns one row: epoch: uuid, seq: bigint, the position it is true as of; parts: json, a part null without its permission
-- The words in braces stand for incident_statistics.sql and dashboard_*.sql; projections/dashboard.rs puts them in
with
  figures as ({figures}),
  span as (
    select unit, date_trunc(unit, now() - make_interval(hours => $1::int - 1), $2::text) as starts
      from (select case when $1 <= 48 then 'hour' else 'day' end as unit) u
  ),
  -- Through the hours of a day to the days, since a day may have 23 or 25 of them.
  buckets as (
    select distinct date_trunc(s.unit, at, $2) as at from span s, generate_series(s.starts, now(), '1 hour') as at
  )
select h.epoch, h.seq, json_build_object(
         'incidents', case when 'incidents.read' = any ($3::text[]) then ({incidents}) end,
         'servers', case when 'servers.read' = any ($3) then ({servers}) end,
         'automations', case when 'automations.read' = any ($3) then ({automations}) end,
         'notifications', case when 'notifications.read' = any ($3) then ({notifications}) end,
         'logs', case when 'logs.read' = any ($3) then ({logs}) end) as parts
  from log_head h;
