-- state_user: stores users as they stand, in the transaction of the append that made them so.
-- Takes   states, the serialised domain::user::User; null or empty does nothing
create or replace function state_user(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into users
  select r.id, r.username, r.disabled, r.version, s.state
    from unnest(states) s (state),
         json_to_record(s.state) r (id uuid, username text, disabled boolean, version bigint)
  on conflict (id) do update set
    username = excluded.username, disabled = excluded.disabled, version = excluded.version, state = excluded.state;
end $$;
