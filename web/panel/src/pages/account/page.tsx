import { accepted } from '@signalbox/client/react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { api, wordsOf } from '../../api.ts';
import { useMe, useSignOut } from '../../session/session.tsx';
import { useTitle } from '../../shell/title.ts';
import { Button } from '../../widgets/button.tsx';
import { FormDialog } from '../../widgets/dialog.tsx';
import { PermissionList } from '../users/permissions.tsx';
import { useCommand } from '../users/query.ts';
import { type SessionOwner, Sessions, sessionsQuery } from '../users/sessions.tsx';
import { myTokens, Tokens } from '../users/tokens.tsx';
import { ChangePassword } from './password.tsx';

const mySessions: SessionOwner = {
  key: ['my', 'sessions'],
  list: async (signal) => accepted(await api.GET('/api/v1/me/sessions', { signal })),
  end: async (session, header) =>
    accepted(await api.DELETE('/api/v1/me/sessions/{session}', { params: { path: { session }, header } })),
};

/** What is one's own: password, sign-ins, tokens. */
export default function AccountPage() {
  useTitle('Your account');
  const me = useMe();
  const [doing, setDoing] = useState<'password' | 'everywhere'>();
  return (
    <article className="sections">
      <header>
        <div className="incident-marks">
          <span className="soft">
            signs in as <span className="mono">{me.username}</span>
          </span>
          <span className="soft">{me.roles.length > 0 ? `has the role ${me.roles.join(', ')}` : 'has no role'}</span>
        </div>
        <h1>{me.name}</h1>
        <div className="actions">
          <Button onClick={() => setDoing('password')}>Change password …</Button>
          <Button onClick={() => setDoing('everywhere')}>Sign out everywhere …</Button>
        </div>
      </header>
      <Sessions owner={mySessions} mayEnd />
      <Tokens owner={myTokens} may={me.permissions} />
      <section className="section">
        <h2>You may</h2>
        <PermissionList permissions={me.permissions} />
      </section>
      {doing === 'password' && <ChangePassword onClose={() => setDoing(undefined)} />}
      {doing === 'everywhere' && <SignOutEverywhere onClose={() => setDoing(undefined)} />}
    </article>
  );
}

/** Ends every sign-in, this one last. */
function SignOutEverywhere({ onClose }: { onClose: () => void }) {
  const signOut = useSignOut();
  const sessions = useQuery(sessionsQuery(mySessions));
  const others = sessions.data?.items.filter(({ current }) => !current) ?? [];
  const end = useCommand({
    send: async (_form: FormData) => {
      // Before this one ends: what cannot be ended shall still be told.
      for (const { id } of others) await mySessions.end(id, { 'Idempotency-Key': crypto.randomUUID() });
      await signOut();
    },
    touches: [[...mySessions.key]],
  });
  return (
    <FormDialog
      title="Sign out everywhere?"
      submit="Sign out everywhere"
      look="danger"
      busy={end.isPending || !sessions.data}
      wrong={end.isError ? wordsOf(end.error) : undefined}
      onSubmit={(form) => end.mutate(form)}
      onClose={onClose}
    >
      <p>
        {others.length === 0 ? 'This sign-in ends; there is no other.' : `This sign-in and ${others.length} more end.`}{' '}
        Their windows are signed out within a second. API tokens stay good.
      </p>
    </FormDialog>
  );
}
