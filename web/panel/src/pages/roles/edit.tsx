import { accepted } from '@signalbox/client/react';

import { api, wordsOf } from '../../api.ts';
import { useMe } from '../../session/session.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextField } from '../../widgets/field.tsx';
import { say } from '../../widgets/toasts.tsx';
import { PermissionChoice } from '../users/permissions.tsx';
import { type Role, typed, useCommand } from '../users/query.ts';

/** What a role allows is a part of what its holders may do. */
const TOUCHES = [['roles'], ['users'], ['user']];

/** Makes a role, or changes what one allows. */
export function EditRole(props: { role: Role | undefined; permissions: string[]; onClose: () => void }) {
  const { role, permissions, onClose } = props;
  const me = useMe();
  const edit = useCommand({
    send: async (form: FormData, header) => {
      const chosen = form.getAll('permissions').map(String);
      const body = { description: typed(form, 'description') ?? '', permissions: chosen };
      if (!role) {
        const name = typed(form, 'name') ?? '';
        return accepted(await api.POST('/api/v1/roles', { params: { header }, body: { ...body, name } }));
      }
      const params = { path: { role: role.name }, header: { ...header, 'If-Match': `"${role.version}"` } };
      return accepted(await api.PATCH('/api/v1/roles/{role}', { params, body }));
    },
    touches: TOUCHES,
    onDone: onClose,
  });
  return (
    <FormDialog
      title={role ? `Role ${role.name}` : 'New role'}
      submit={role ? 'Save' : 'Create'}
      busy={edit.isPending}
      wrong={edit.isError ? wordsOf(edit.error) : undefined}
      onSubmit={(form) => edit.mutate(form)}
      onClose={onClose}
    >
      {!role && (
        <TextField
          label="Name"
          name="name"
          required
          maxLength={40}
          pattern="[a-z0-9\-]+"
          hint="Small letters, digits and -. It never changes."
          autoCapitalize="none"
        />
      )}
      <TextField label="Description" name="description" maxLength={200} defaultValue={role?.description} />
      <PermissionChoice label="It allows" of={permissions} may={me.permissions} chosen={role?.permissions ?? []} />
      {role && <p className="soft">Whoever holds it may do this and no more from then on, also in open windows.</p>}
    </FormDialog>
  );
}

/** Deletes a role that nobody holds. */
export function DeleteRole({ role, onClose }: { role: Role; onClose: () => void }) {
  const { name, version } = role;
  const remove = useCommand({
    send: async (_form: FormData, header) => {
      const params = { path: { role: name }, header: { ...header, 'If-Match': `"${version}"` } };
      return accepted(await api.DELETE('/api/v1/roles/{role}', { params }));
    },
    touches: TOUCHES,
    onDone: () => {
      say(`The role ${name} is gone.`);
      onClose();
    },
  });
  return (
    <FormDialog
      title={`Delete ${name}?`}
      submit="Delete"
      look="danger"
      busy={remove.isPending}
      wrong={remove.isError ? wordsOf(remove.error) : undefined}
      onSubmit={(form) => remove.mutate(form)}
      onClose={onClose}
    >
      <p>Only a role that nobody holds can be deleted. Its name is free again then.</p>
    </FormDialog>
  );
}
