-- state_user: stores users as they stand, in the transaction of the append that made them so.
-- Takes   states, the serialised domain::user::User; null or empty does nothing
-- Refuses (check_violation) what two commands could only do together, each right by itself:
--         users_administrator: nobody would be left who may do everything; users_role: a role that was deleted
create or replace function state_user(states json[]) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
  administered boolean := exists (select from users where not disabled and kind = 'person' and 'admin' = any (roles));
begin
  insert into users (id, username, disabled, version, state, kind, name, roles, email, identity)
  select r.id, r.username, r.disabled, r.version, s.state, coalesce(r.kind, 'person'), r.name, r.roles, r.email,
         (r.identity ->> 'issuer') || E'\n' || (r.identity ->> 'subject')
    from unnest(states) s (state),
         json_to_record(s.state) r (id uuid, username text, disabled boolean, version bigint, kind text, name text,
           roles text[], email text, identity json)
  on conflict (id) do update set
    username = excluded.username, disabled = excluded.disabled, version = excluded.version, state = excluded.state,
    kind = excluded.kind, name = excluded.name, roles = excluded.roles, email = excluded.email,
    identity = excluded.identity;

  if administered and not exists (select from users where not disabled and kind = 'person' and 'admin' = any (roles)) then
    raise exception 'nobody would be left to administer' using errcode = 'check_violation', constraint = 'users_administrator';
  end if;
  if exists (select from unnest(states) s (state), json_array_elements_text(s.state -> 'roles') held (name)
              where exists (select from roles r where r.name = held.name and r.deleted)
                and not exists (select from roles r where r.name = held.name and not r.deleted)) then
    raise exception 'a role was deleted' using errcode = 'check_violation', constraint = 'users_role';
  end if;
end $$;
