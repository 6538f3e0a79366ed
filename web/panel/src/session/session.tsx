import { accepted, CommandRefused } from '@signalbox/client/react';
import { type QueryClient, useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useCallback, useContext } from 'react';

import { api, type Schemas } from '../api.ts';
import { Live } from '../live/live.tsx';
import { AcceptInvitation, INVITATION_PATH } from './invitation.tsx';
import { SignIn } from './sign_in.tsx';

export type Me = Schemas['Me'];

const Context = createContext<Me | undefined>(undefined);

/** The server is asked again so often while it cannot be reached. In ms. */
const AGAIN_MS = 3000;

/** Who is signed in; asks for it where nobody is. Its children have an account and a connection. */
export function Session({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const me = useQuery({
    queryKey: ['me'],
    queryFn: async () => {
      try {
        return accepted(await api.GET('/api/v1/me'));
      } catch (error) {
        if (error instanceof CommandRefused && error.problem.status === 401) return null;
        throw error;
      }
    },
    retry: false,
    refetchInterval: (query) => (query.state.status === 'error' ? AGAIN_MS : false),
  });
  const signedOut = useCallback(() => forget(queries), [queries]);
  if (location.pathname === INVITATION_PATH) return <AcceptInvitation />;
  if (me.data) {
    return (
      <Context value={me.data}>
        <Live user={me.data.id} onSignedOut={signedOut}>
          {children}
        </Live>
      </Context>
    );
  }
  if (me.data === null) return <SignIn onSignedIn={() => void me.refetch()} />;
  return (
    <main className="gate" aria-busy="true">
      <p className="soft" role="status">
        {me.isError ? 'The server does not answer. Trying again every few seconds.' : ''}
      </p>
    </main>
  );
}

export function useMe(): Me {
  const me = useContext(Context);
  if (!me) throw new Error('nobody is signed in');
  return me;
}

/** Whether whoever is signed in has a permission. The server decides all the same. */
export function useMay(permission: string): boolean {
  return useMe().permissions.includes(permission);
}

/** Nobody is signed in, and nothing that somebody saw is kept. */
function forget(queries: QueryClient) {
  queries.setQueryData(['me'], null);
  queries.removeQueries({ predicate: ({ queryKey: [name] }) => name !== 'me' });
}

/** Signs out, here and at the server. */
export function useSignOut(): () => Promise<void> {
  const queries = useQueryClient();
  return useCallback(async () => {
    await api.POST('/api/v1/auth/logout').catch(() => undefined);
    forget(queries);
  }, [queries]);
}
