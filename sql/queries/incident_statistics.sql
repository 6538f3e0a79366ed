-- incident_statistics: how many incidents are open, come and go, and how long people take, in one snapshot.
-- Takes   window: int, in hours: whose acknowledgements and resolutions are measured
-- Returns one row: epoch: uuid, seq: bigint, the position it is true as of;
--         by_status: bigint[] (triggered, acknowledged, investigating, mitigated), by_severity: bigint[] (P0 to P4): open ones;
--         oldest_id: uuid, oldest_number: bigint, oldest_created_at: timestamptz: null when nothing is open;
--         created_24h, resolved_24h: bigint;
--         acknowledged, resolved: bigint, how many were measured; per kind a mean in seconds: float8,
--         and p50, p90, p95: float8[] (null when nothing was measured)
-- Reads   all incidents for the open ones; for the rest those that changed lately, by incidents_updated:
--         no time of an incident is later than its updated_at
-- Counts  neither what was cancelled, which was no incident, nor duplicates, which speak through another one,
--         as resolved or measured; both were created, though
with
  open as (
    select id, number, status, severity, created_at
      from incidents
     where status in ('triggered', 'acknowledged', 'investigating', 'mitigated')
  ),
  oldest as (select id, number, created_at from open order by created_at, id limit 1),
  recent as (
    select status, created_at, status <> 'cancelled' and state ->> 'merged_into' is null as counts,
           (state ->> 'acknowledged_at')::timestamptz as acknowledged_at,
           (state ->> 'resolved_at')::timestamptz as resolved_at
      from incidents
     where updated_at >= now() - make_interval(hours => greatest($1::int, 24))
  ),
  acknowledged as (
    select count(*) as measured, avg(s) as mean, percentile_cont('{0.5,0.9,0.95}'::float8[]) within group (order by s) as percentiles
      from (select extract(epoch from acknowledged_at - created_at)::float8 as s from recent
             where counts and acknowledged_at >= now() - make_interval(hours => $1::int)) t
  ),
  resolved as (
    select count(*) as measured, avg(s) as mean, percentile_cont('{0.5,0.9,0.95}'::float8[]) within group (order by s) as percentiles
      from (select extract(epoch from resolved_at - created_at)::float8 as s from recent
             where counts and resolved_at >= now() - make_interval(hours => $1::int)) t
  )
select h.epoch, h.seq, o.by_status, o.by_severity,
       oldest.id as oldest_id, oldest.number as oldest_number, oldest.created_at as oldest_created_at,
       d.created_24h, d.resolved_24h,
       a.measured as acknowledged, a.mean as acknowledged_mean, a.percentiles as acknowledged_percentiles,
       r.measured as resolved, r.mean as resolved_mean, r.percentiles as resolved_percentiles
  from log_head h
 cross join (
    select array[count(*) filter (where status = 'triggered'), count(*) filter (where status = 'acknowledged'),
                 count(*) filter (where status = 'investigating'), count(*) filter (where status = 'mitigated')] as by_status,
           array[count(*) filter (where severity = 'P0'), count(*) filter (where severity = 'P1'),
                 count(*) filter (where severity = 'P2'), count(*) filter (where severity = 'P3'),
                 count(*) filter (where severity = 'P4')] as by_severity
      from open
  ) o
 cross join (
    select count(*) filter (where created_at >= now() - interval '24 hours') as created_24h,
           count(*) filter (where counts and resolved_at >= now() - interval '24 hours') as resolved_24h
      from recent
  ) d
 cross join acknowledged a
 cross join resolved r
  left join oldest on true;
