-- servers_due: takes servers whose time to be looked at has come. They are this process's for ten seconds longer than
-- their test may take; were it to die, others take them then.
-- Takes   most rows: bigint
-- Returns state: json; failures: int, tests in a row that were not answered
with due as (
  select server_id from server_checks where next_at <= now() and taken_until <= now() order by next_at limit $1 for update skip locked
), taken as (
  update server_checks c
     set taken_until = now() + make_interval(secs => (s.state #>> '{check,timeout_s}')::int + 10)
    from due join servers s on s.id = due.server_id
   where c.server_id = due.server_id
  returning s.state, c.failures
)
select state, failures from taken;
