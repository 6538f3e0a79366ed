-- dashboard_servers: servers for a dashboard, as JSON; a part of the query in projections/dashboard.rs.
-- Returns how many there are, by status; what was deleted is not counted
select json_build_object(
         'total', count(*),
         'by_status', json_build_object(
           'up', count(*) filter (where status = 'up'),
           'down', count(*) filter (where status = 'down'),
           'pending', count(*) filter (where status = 'pending'),
           'maintenance', count(*) filter (where status = 'maintenance')))
  from servers where not deleted
