import { accepted } from '@signalbox/client/react';

import { api, wordsOf } from '../../api.ts';
import { useMe } from '../../session/session.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextField } from '../../widgets/field.tsx';
import { say } from '../../widgets/toasts.tsx';
import { typed, useCommand, type User, userKey } from '../users/query.ts';

/** Disables a user, or lets one in again. Says first what follows. */
export function SwitchUser({ user, onClose }: { user: User; onClose: () => void }) {
  const me = useMe();
  const { name, disabled } = user;
  const flip = useCommand({
    send: async (form: FormData, header) => {
      const params = { path: { user: user.id }, header: { ...header, 'If-Match': `"${user.version}"` } };
      const reason = typed(form, 'reason');
      const body = reason ? { reason } : {};
      return disabled
        ? accepted(await api.POST('/api/v1/users/{user}/enable', { params, body }))
        : accepted(await api.POST('/api/v1/users/{user}/disable', { params, body }));
    },
    touches: [userKey(user.id), ['users']],
    onDone: () => {
      say(disabled ? `${name} may sign in again.` : `${name} is disabled.`);
      onClose();
    },
  });
  return (
    <FormDialog
      title={disabled ? `Enable ${name}?` : `Disable ${name}?`}
      submit={disabled ? 'Enable' : 'Disable'}
      look={disabled ? 'primary' : 'danger'}
      busy={flip.isPending}
      wrong={flip.isError ? wordsOf(flip.error) : undefined}
      onSubmit={(form) => flip.mutate(form)}
      onClose={onClose}
    >
      {disabled ? (
        <p>API tokens are good again, with the roles of now. Sign-ins stay over: a person signs in anew.</p>
      ) : (
        <p>
          Within a second, open windows are signed out and streams end. Sign-ins are over for good; API tokens are
          refused until somebody enables the user again. Nothing is deleted.
        </p>
      )}
      {!disabled && user.id === me.id && <p className="wrong">This is you: you will be signed out here, too.</p>}
      <TextField label="Reason" name="reason" maxLength={2000} hint="Stands in the event log; may be left out" />
    </FormDialog>
  );
}
