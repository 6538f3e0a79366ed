import { accepted } from '@signalbox/client/react';
import { useState } from 'react';

import { api, wordsOf } from '../../api.ts';
import { PasswordFields } from '../../session/password_fields.tsx';
import { useMe } from '../../session/session.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { TextField } from '../../widgets/field.tsx';
import { say } from '../../widgets/toasts.tsx';
import { useCommand } from '../users/query.ts';

/** Another password for oneself. */
export function ChangePassword({ onClose }: { onClose: () => void }) {
  const { username } = useMe();
  const [differ, setDiffer] = useState(false);
  const change = useCommand({
    send: async (form: FormData) => {
      const body = { old: String(form.get('old')), new: String(form.get('password')) };
      return accepted(await api.POST('/api/v1/me/password', { body }));
    },
    touches: [['my', 'sessions']],
    onDone: ({ ended_sessions: ended }) => {
      say(`The password is changed.${ended > 0 ? ` Other sign-ins that ended with it: ${ended}.` : ''}`);
      onClose();
    },
  });
  return (
    <FormDialog
      title="Change password"
      submit="Change"
      busy={change.isPending}
      wrong={differ ? 'The two new ones differ.' : change.isError ? wordsOf(change.error) : undefined}
      onSubmit={(form) => {
        const same = form.get('password') === form.get('again');
        setDiffer(!same);
        if (same) change.mutate(form);
      }}
      onClose={onClose}
    >
      <p className="soft">Your other sign-ins end with it.</p>
      <input hidden name="username" autoComplete="username" value={username} readOnly />
      <TextField label="Present password" name="old" type="password" autoComplete="current-password" required />
      <PasswordFields />
    </FormDialog>
  );
}
