-- server_measures_forget: drops measurements past their day and roll-ups past their 30 days, some at a time.
-- Returns one row per measurement dropped
with probes as (
  delete from server_probes where ctid = any (array(
    select ctid from server_probes where at < now() - interval '25 hours' limit 5000)) returning 1
), reports as (
  delete from server_utilization where ctid = any (array(
    select ctid from server_utilization where bucket < now() - interval '31 days' limit 5000)) returning 1
)
select 1 as dropped from probes union all select 1 from reports;
