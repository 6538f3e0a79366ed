import { accepted } from '@signalbox/client/react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { api, wordsOf } from '../../api.ts';
import { useMe } from '../../session/session.tsx';
import { Loading } from '../../widgets/states.tsx';
import { say } from '../../widgets/toasts.tsx';
import { type Role, rolesQuery, useCommand, type User, userKey } from '../users/query.ts';
import { mayGive } from '../users/role_choice.tsx';

/** A user's roles. Each is granted and revoked at once; open windows follow within a second. */
export function Roles({ user, mayWrite }: { user: User; mayWrite: boolean }) {
  const me = useMe();
  const queries = useQueryClient();
  const roles = useQuery(rolesQuery);
  const key = userKey(user.id);
  const change = useCommand({
    send: async ({ role, on }: { role: string; on: boolean }, header) => {
      const params = { path: { user: user.id, role }, header: { ...header, 'If-Match': `"${user.version}"` } };
      return on
        ? accepted(await api.PUT('/api/v1/users/{user}/roles/{role}', { params }))
        : accepted(await api.DELETE('/api/v1/users/{user}/roles/{role}', { params }));
    },
    touches: [key, ['users']],
    onDone: (now, { role, on }) => {
      queries.setQueryData<User>(key, (before) => (before && before.version > now.version ? before : now));
      say(`${user.name} ${on ? 'has' : 'no longer has'} the role ${role}.`);
    },
    onRefused: (error) => say(`The role was not changed. ${wordsOf(error)}`, 'bad'),
  });
  const wanted = change.isPending ? change.variables : undefined;
  const held = (role: string) => (wanted?.role === role ? wanted.on : user.roles.includes(role));
  const off = (role: Role) => !mayWrite || change.isPending || !mayGive(role, me.permissions);
  return (
    <section className="section">
      <header className="section-head">
        <h2>Roles</h2>
        <Link to="/roles">What each allows</Link>
      </header>
      {roles.isPending && <Loading lines={4} />}
      <fieldset className="choices">
        <legend className="visually-hidden">Roles of {user.name}</legend>
        {roles.data?.items.map((role) => (
          <label key={role.name} data-off={off(role) ? '' : undefined}>
            <input
              type="checkbox"
              checked={held(role.name)}
              disabled={off(role)}
              onChange={({ target }) => change.mutate({ role: role.name, on: target.checked })}
            />
            <span>
              {role.name} <small>{role.description}</small>
            </span>
          </label>
        ))}
      </fieldset>
    </section>
  );
}
