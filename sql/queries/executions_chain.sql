-- executions_chain: how deep a chain of executions an event is at the end of, and how many there are in it.
-- Takes   correlation: uuid; seq of the event: bigint; execution that the event is of, if any: uuid
-- Returns depth: int, of an execution that the event starts: one more than the execution's; of an event that is of
--         none, one more than the deepest that an earlier event started;
--         following: bigint, executions of the chain that are not its first
-- A story may go on for days, and what a person does in it begins another chain: what was started before is not counted
with story as (
  select depth, coalesce((state #>> '{trigger,seq}')::bigint, 0) as started_by from executions where correlation_id = $1
), chain as (
  select depth, started_by from story
   where started_by >= (select coalesce(max(started_by), 0) from story where depth = 0 and started_by < $2::bigint)
)
select coalesce(
         (select depth + 1 from executions where id = $3::uuid),
         max(depth) filter (where started_by < $2) + 1,
         0) as depth,
       count(*) filter (where depth > 0) as following
  from chain;
