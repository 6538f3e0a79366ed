-- state_runbook: stores runbooks as they stand, in the transaction of the append that made them so.
-- Takes   states, the serialised domain::automation::runbook::Runbook; null or empty does nothing
create or replace function state_runbook(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into runbooks
  select r.id, s.state #>> '{definition,name}', r.archived,
         not r.archived and s.state #> '{definition,schedule}' ->> 'cron' is not null,
         not r.archived and s.state #> '{definition,on_event}' ->> 'condition' is not null,
         r.scheduled_from, r.created_at, r.updated_at, r.version, s.state
    from unnest(states) s (state),
         json_to_record(s.state) r (id uuid, archived boolean, scheduled_from timestamptz,
           created_at timestamptz, updated_at timestamptz, version bigint)
  on conflict (id) do update set
    name = excluded.name, archived = excluded.archived, scheduled = excluded.scheduled,
    triggered = excluded.triggered, scheduled_from = excluded.scheduled_from,
    updated_at = excluded.updated_at, version = excluded.version, state = excluded.state;
end $$;
