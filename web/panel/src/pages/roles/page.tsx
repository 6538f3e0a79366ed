import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { useMe } from '../../session/session.tsx';
import { useKeys } from '../../shell/keys.ts';
import { useTitle } from '../../shell/title.ts';
import { Button } from '../../widgets/button.tsx';
import { Failed, Loading } from '../../widgets/states.tsx';
import { type Role, rolesQuery } from '../users/query.ts';
import { mayGive } from '../users/role_choice.tsx';
import { DeleteRole, EditRole } from './edit.tsx';
import { Grid } from './grid.tsx';

/** What each role allows. */
export default function RolesPage() {
  useTitle('Roles');
  const me = useMe();
  const roles = useQuery(rolesQuery);
  const [doing, setDoing] = useState<{ what: 'edit' | 'delete'; role?: Role }>();
  const mayWrite = me.permissions.includes('users.write');
  useKeys(mayWrite && roles.data ? { c: () => setDoing({ what: 'edit' }) } : {});
  const close = () => setDoing(undefined);
  return (
    <div className="list-page">
      <header className="page-head">
        <h1>Roles</h1>
        <span className="soft only-wide">What each allows. A change reaches open windows within a second.</span>
        <span className="grow" />
        {mayWrite && roles.data && (
          <Button look="primary" icon="plus" shortcut="c" onClick={() => setDoing({ what: 'edit' })}>
            New
          </Button>
        )}
      </header>
      <div className="list">
        {roles.isError && !roles.data && <Failed error={roles.error} again={() => void roles.refetch()} />}
        {roles.isPending && <Loading lines={10} />}
        {roles.data && (
          <Grid
            {...roles.data}
            mayChange={(role) => mayWrite && !role.built_in && mayGive(role, me.permissions)}
            onEdit={(role) => setDoing({ what: 'edit', role })}
            onDelete={(role) => setDoing({ what: 'delete', role })}
          />
        )}
      </div>
      {doing?.what === 'edit' && roles.data && (
        <EditRole role={doing.role} permissions={roles.data.permissions} onClose={close} />
      )}
      {doing?.what === 'delete' && doing.role && <DeleteRole role={doing.role} onClose={close} />}
    </div>
  );
}
