import { accepted } from '@signalbox/client/react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { api, wordsOf } from '../../api.ts';
import { useMe } from '../../session/session.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextField } from '../../widgets/field.tsx';
import { Loading } from '../../widgets/states.tsx';
import type { Invitation } from './invitation.tsx';
import { rolesQuery, typed, useCommand } from './query.ts';
import { RoleChoice } from './role_choice.tsx';

/** Makes a user: a person, who is invited, or a service account, which gets tokens. */
export function CreateUser(props: {
  onPerson: (invitation: Invitation) => void;
  onAccount: (id: string) => void;
  onClose: () => void;
}) {
  const { onPerson, onAccount, onClose } = props;
  const me = useMe();
  const roles = useQuery(rolesQuery);
  const [kind, setKind] = useState<'person' | 'service_account'>('person');
  const create = useCommand({
    send: async (form: FormData, header) => {
      const email = typed(form, 'email');
      const body = {
        username: typed(form, 'username') ?? '',
        name: typed(form, 'name') ?? '',
        ...(email ? { email } : {}),
        kind,
        roles: form.getAll('roles').map(String),
      };
      return accepted(await api.POST('/api/v1/users', { params: { header }, body }));
    },
    touches: [['users']],
    onDone: ({ id, username, invitation }) => (invitation ? onPerson({ username, invitation }) : onAccount(id)),
  });
  return (
    <FormDialog
      title="New user"
      submit={kind === 'person' ? 'Create and invite' : 'Create'}
      busy={create.isPending}
      wrong={create.isError ? wordsOf(create.error) : undefined}
      onSubmit={(form) => create.mutate(form)}
      onClose={onClose}
    >
      <fieldset className="choices">
        <legend className="visually-hidden">Kind</legend>
        <label>
          <input type="radio" name="kind" checked={kind === 'person'} onChange={() => setKind('person')} />
          <span>
            Person <small>signs in; you get a link for them</small>
          </span>
        </label>
        <label>
          <input
            type="radio"
            name="kind"
            checked={kind === 'service_account'}
            onChange={() => setKind('service_account')}
          />
          <span>
            Service account <small>a program; it has API tokens</small>
          </span>
        </label>
      </fieldset>
      <div className="form-pair">
        <TextField
          label="User name"
          name="username"
          required
          maxLength={64}
          pattern="[A-Za-z0-9][A-Za-z0-9._@+\-]*"
          title="Letters, digits and . _ @ + -"
          autoCapitalize="none"
          spellCheck={false}
        />
        <TextField label="Name" name="name" required maxLength={100} />
      </div>
      {kind === 'person' && (
        <TextField label="Address" name="email" type="email" maxLength={254} hint="May be left out" />
      )}
      {roles.data ? <RoleChoice roles={roles.data.items} may={me.permissions} /> : <Loading lines={3} />}
    </FormDialog>
  );
}
