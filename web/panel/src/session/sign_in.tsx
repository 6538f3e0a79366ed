import { accepted } from '@signalbox/client/react';
import { useMutation } from '@tanstack/react-query';
import type { FormEvent } from 'react';

import { api, wordsOf } from '../api.ts';
import { Button } from '../widgets/button.tsx';
import { TextField } from '../widgets/field.tsx';

/** Asks who it is. The answer sets cookies that no script can read. */
export function SignIn({ onSignedIn }: { onSignedIn: () => void }) {
  const signIn = useMutation({
    mutationFn: async (body: { username: string; password: string }) =>
      accepted(await api.POST('/api/v1/auth/login', { body })),
    onSuccess: onSignedIn,
  });
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    signIn.mutate({ username: String(form.get('username')), password: String(form.get('password')) });
  };
  return (
    <main className="gate">
      <form className="gate-card form" onSubmit={send}>
        <div className="brand">
          <img src="/signalbox.svg" alt="" width="28" height="28" />
          <h1>Signalbox</h1>
        </div>
        <TextField label="User name" name="username" autoComplete="username" autoCapitalize="none" required autoFocus />
        <TextField label="Password" name="password" type="password" autoComplete="current-password" required />
        {signIn.isError && (
          <p className="wrong" role="alert">
            {wordsOf(signIn.error)}
          </p>
        )}
        <Button type="submit" look="primary" disabled={signIn.isPending}>
          {signIn.isPending ? 'Signing in …' : 'Sign in'}
        </Button>
      </form>
    </main>
  );
}
