-- servers_due: takes servers whose time to be looked at has come. They are this process's for a minute, longer than
-- any test takes; were it to die, others take them then.
-- Takes   most rows: bigint
-- Returns state: json; failures: int, tests in a row that were not answered
with due as (
  select server_id from server_checks where next_at <= now() and taken_until <= now() order by next_at limit $1 for update skip locked
), taken as (
  update server_checks c set taken_until = now() + interval '60 seconds' from due where c.server_id = due.server_id
  returning c.server_id, c.failures
)
select s.state, t.failures from taken t join servers s on s.id = t.server_id;
