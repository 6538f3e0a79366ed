import { accepted, CommandRefused } from '@signalbox/client/react';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useState } from 'react';

import { api, wordsOf } from '../api.ts';
import { Button } from '../widgets/button.tsx';
import { TextField } from '../widgets/field.tsx';
import { PasswordFields } from './password_fields.tsx';

/** Where an invitation is accepted: nobody is signed in yet, or somebody else. */
export const INVITATION_PATH = '/invitation';

/** Sets the first password, or a new one, by a link, and signs in with it. */
export function AcceptInvitation() {
  const [invitation] = useState(() => decodeURIComponent(location.hash.slice(1)));
  const username = new URLSearchParams(location.search).get('user') ?? '';
  const [differ, setDiffer] = useState(false);
  const accept = useMutation({
    networkMode: 'always',
    mutationFn: async (form: { username: string; password: string }) => {
      const body = { invitation, password: form.password };
      const { error, response } = await api.POST('/api/v1/auth/accept', { body });
      if (error) accepted({ error, response });
      return accepted(await api.POST('/api/v1/auth/login', { body: form }));
    },
    // Begins anew: nothing of whoever was signed in here stays.
    onSuccess: () => location.replace('/'),
  });
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const password = String(form.get('password'));
    setDiffer(password !== form.get('again'));
    if (password === form.get('again')) accept.mutate({ username: String(form.get('username')), password });
  };
  if (!invitation.startsWith('sbi_')) {
    return (
      <Card title="This link is not whole">
        <p>It ends with “#sbi_…”. Copy all of it, or ask for another one.</p>
      </Card>
    );
  }
  const isOver = accept.error instanceof CommandRefused && accept.error.problem.status === 401;
  return (
    <Card title={username ? `Welcome, ${username}` : 'Welcome'}>
      <form className="form" onSubmit={send}>
        <p className="soft">Choose a password. This link is good once.</p>
        <TextField
          label="User name"
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          required
          readOnly={username !== ''}
          defaultValue={username}
        />
        <PasswordFields />
        {(differ || accept.isError) && (
          <p className="wrong" role="alert">
            {differ ? 'The two differ.' : wordsOf(accept.error)}
            {isOver && ' Ask whoever invited you for another one.'}
          </p>
        )}
        <Button type="submit" look="primary" disabled={accept.isPending}>
          {accept.isPending ? 'Signing in …' : 'Set password and sign in'}
        </Button>
      </form>
    </Card>
  );
}

function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="gate">
      <div className="gate-card">
        <div className="brand">
          <img src="/signalbox.svg" alt="" width="28" height="28" />
          <h1>{title}</h1>
        </div>
        {children}
      </div>
    </main>
  );
}
