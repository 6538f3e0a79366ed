-- roles: who owns the tables and who serves. Run at every migrate, before the migrations.
-- A user that may not create roles can still migrate when an administrator made them.
do $$
begin
  if not exists (select from pg_roles where rolname = 'signalbox_owner') then
    create role signalbox_owner nologin;
  end if;
  if not exists (select from pg_roles where rolname = 'signalbox_app') then
    create role signalbox_app login;
  end if;
  if not pg_has_role('signalbox_owner', 'member') then
    execute format('grant signalbox_owner to %I', current_user);
  end if;
  if not pg_has_role('signalbox_app', 'member') then
    execute format('grant signalbox_app to %I', current_user);
  end if;
  if not has_schema_privilege('signalbox_owner', 'public', 'create') then
    grant usage, create on schema public to signalbox_owner with grant option;
  end if;
end $$;
