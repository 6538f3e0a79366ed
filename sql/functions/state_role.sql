-- state_role: stores roles as they stand, in the transaction of the append that made them so.
-- Takes   states, the serialised domain::role::CustomRole; null or empty does nothing
-- Refuses (check_violation, roles_held) to delete a role that somebody holds
create or replace function state_role(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  insert into roles (id, name, deleted, version, state)
  select r.id, r.name, r.deleted, r.version, s.state
    from unnest(states) s (state), json_to_record(s.state) r (id uuid, name text, deleted boolean, version bigint)
  on conflict (id) do update set deleted = excluded.deleted, version = excluded.version, state = excluded.state;

  if exists (select from unnest(states) s (state), json_to_record(s.state) r (name text, deleted boolean)
              where r.deleted and exists (select from users u where r.name = any (u.roles))) then
    raise exception 'somebody holds this role' using errcode = 'check_violation', constraint = 'roles_held';
  end if;
end $$;
