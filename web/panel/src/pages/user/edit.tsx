import { accepted } from '@signalbox/client/react';

import { api, wordsOf } from '../../api.ts';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextField } from '../../widgets/field.tsx';
import { typed, useCommand, type User, userKey } from '../users/query.ts';

/** Changes what others see of a user. The user name stays. */
export function EditUser({ user, onClose }: { user: User; onClose: () => void }) {
  const edit = useCommand({
    send: async (form: FormData, header) => {
      const params = { path: { user: user.id }, header: { ...header, 'If-Match': `"${user.version}"` } };
      const body = { name: typed(form, 'name') ?? '', email: typed(form, 'email') ?? null };
      return accepted(await api.PATCH('/api/v1/users/{user}', { params, body }));
    },
    touches: [userKey(user.id), ['users']],
    onDone: onClose,
  });
  return (
    <FormDialog
      title={`Edit ${user.username}`}
      submit="Save"
      busy={edit.isPending}
      wrong={edit.isError ? wordsOf(edit.error) : undefined}
      onSubmit={(form) => edit.mutate(form)}
      onClose={onClose}
    >
      <TextField label="Name" name="name" required maxLength={100} defaultValue={user.name} />
      <TextField label="Address" name="email" type="email" maxLength={254} defaultValue={user.email ?? ''} />
    </FormDialog>
  );
}
