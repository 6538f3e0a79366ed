-- state_server_filters: stores the filters that users keep, in the transaction of the append that made them so.
-- Takes   states, the serialised domain::server::saved::Filters; null or empty does nothing
create or replace function state_server_filters(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into server_filters
  select r."user", r.version, s.state
    from unnest(states) s (state), json_to_record(s.state) r ("user" uuid, version bigint)
  on conflict (user_id) do update set version = excluded.version, state = excluded.state;
end $$;
