import { accepted, CommandRefused } from '@signalbox/client/react';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';

import { api, wordsOf } from '../../api.ts';
import { lost } from '../../session/rights.ts';
import { useMe } from '../../session/session.tsx';
import { useTitle } from '../../shell/title.ts';
import { Button } from '../../widgets/button.tsx';
import { Icon } from '../../widgets/icon.tsx';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { Ago } from '../../widgets/time.tsx';
import { say } from '../../widgets/toasts.tsx';
import { type Invitation, InvitationLink } from '../users/invitation.tsx';
import { UserState } from '../users/page.tsx';
import { PermissionList } from '../users/permissions.tsx';
import { useCommand, type User, userKey } from '../users/query.ts';
import { type SessionOwner, Sessions, sessionsQuery } from '../users/sessions.tsx';
import { Tokens, tokensOf } from '../users/tokens.tsx';
import { EditUser } from './edit.tsx';
import { Roles } from './roles.tsx';
import { SwitchUser } from './switch.tsx';

/** One user: who it is, what it may do, by which roles, tokens and sign-ins. */
export default function UserPage() {
  const { user: id } = useParams({ strict: false }) as { user: string };
  const user = useQuery({
    queryKey: [...userKey(id)],
    queryFn: async ({ signal }) =>
      accepted(await api.GET('/api/v1/users/{user}', { params: { path: { user: id } }, signal })),
  });
  useTitle(user.data?.username ?? 'User');
  if (user.isError && !user.data) {
    return user.error instanceof CommandRefused && user.error.problem.status === 404 ? (
      <Empty title="There is no such user">
        <Link to="/users">All users</Link>
      </Empty>
    ) : (
      <Failed error={user.error} again={() => void user.refetch()} />
    );
  }
  if (!user.data) return <Loading />;
  return <Shown user={user.data} />;
}

const sessionsOf = (user: string): SessionOwner => ({
  key: [...userKey(user), 'sessions'],
  list: async (signal) =>
    accepted(await api.GET('/api/v1/users/{user}/sessions', { params: { path: { user } }, signal })),
  end: async (session, header) =>
    accepted(
      await api.DELETE('/api/v1/users/{user}/sessions/{session}', { params: { path: { user, session }, header } }),
    ),
});

function Shown({ user }: { user: User }) {
  const me = useMe();
  const above = lost(user.permissions, me.permissions);
  const isWriter = me.permissions.includes('users.write');
  const mayWrite = isWriter && above.length === 0;
  const isMe = user.id === me.id;
  return (
    <article className="sections">
      <Head user={user} mayWrite={mayWrite} />
      {isWriter && !mayWrite && (
        <p className="soft">This user may do what you may not ({above.join(', ')}): nobody changes such a user.</p>
      )}
      <div className="halves">
        <Roles user={user} mayWrite={mayWrite} />
        <section className="section">
          <h2>May do</h2>
          <PermissionList permissions={user.permissions} />
        </section>
      </div>
      {!isMe && (
        <Tokens
          owner={tokensOf(user.id)}
          may={mayWrite ? user.permissions.filter((permission) => me.permissions.includes(permission)) : undefined}
        />
      )}
      {!isMe && user.kind === 'person' && <Sessions owner={sessionsOf(user.id)} mayEnd={mayWrite} />}
    </article>
  );
}

function Head({ user, mayWrite }: { user: User; mayWrite: boolean }) {
  const me = useMe();
  const isPerson = user.kind === 'person';
  const [doing, setDoing] = useState<'edit' | 'switch'>();
  const [invited, setInvited] = useState<Invitation>();
  const seen = useQuery({ ...sessionsQuery(sessionsOf(user.id)), enabled: isPerson }).data?.items[0];
  const invite = useCommand({
    send: async (_nothing: undefined, header) =>
      accepted(await api.POST('/api/v1/users/{user}/invitation', { params: { path: { user: user.id }, header } })),
    touches: [userKey(user.id)],
    onDone: ({ username, invitation }) => invitation && setInvited({ username, invitation }),
    onRefused: (error) => say(wordsOf(error), 'bad'),
  });
  return (
    <header>
      <nav className="crumbs" aria-label="Where you are">
        <Link to="/users">
          <Icon name="back" /> Users
        </Link>
      </nav>
      <div className="incident-marks">
        <UserState disabled={user.disabled} />
        <span className="mono soft">{user.username}</span>
        <span className="soft">{user.kind.replace('_', ' ')}</span>
        {seen && (
          <span className="soft only-wide">
            last seen <Ago at={seen.refreshed_at} suffix=" ago" />
          </span>
        )}
      </div>
      <h1>{user.name}</h1>
      {user.email && <p className="soft">{user.email}</p>}
      {user.issuer && <p className="soft">Signs in by {user.issuer}.</p>}
      <div className="actions">
        {user.id === me.id && (
          <Link className="button" data-look="plain" to="/account">
            Your account
          </Link>
        )}
        {mayWrite && <Button onClick={() => setDoing('edit')}>Edit …</Button>}
        {mayWrite && isPerson && !user.disabled && (
          <Button disabled={invite.isPending} onClick={() => invite.mutate(undefined)}>
            New password link
          </Button>
        )}
        {mayWrite && (
          <Button look={user.disabled ? 'primary' : 'plain'} onClick={() => setDoing('switch')}>
            {user.disabled ? 'Enable …' : 'Disable …'}
          </Button>
        )}
        <Link className="button" data-look="plain" to="/events" search={{ stream: `user/${user.id}` } as never}>
          Its events
        </Link>
      </div>
      {doing === 'edit' && <EditUser user={user} onClose={() => setDoing(undefined)} />}
      {doing === 'switch' && <SwitchUser user={user} onClose={() => setDoing(undefined)} />}
      {invited && <InvitationLink of={invited} onClose={() => setInvited(undefined)} />}
    </header>
  );
}
