import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';

import { type Schemas, wordsOf } from '../../api.ts';
import { Button } from '../../widgets/button.tsx';
import { Scroll } from '../../widgets/scroll.tsx';
import { Failed, Loading } from '../../widgets/states.tsx';
import { Ago, exactly } from '../../widgets/time.tsx';
import { say } from '../../widgets/toasts.tsx';
import { useCommand } from './query.ts';

/** Whose sign-ins, and by which operations. */
export interface SessionOwner {
  key: readonly unknown[];
  list: (signal: AbortSignal) => Promise<Schemas['Sessions']>;
  end: (session: string, header: { 'Idempotency-Key': string }) => Promise<unknown>;
}

/** What is asked to show somebody's sign-ins. */
export const sessionsQuery = (owner: SessionOwner) => ({
  queryKey: owner.key,
  queryFn: ({ signal }: { signal: AbortSignal }) => owner.list(signal),
  // Those who may not see events of users hear of no sign-in.
  refetchOnMount: 'always' as const,
  refetchOnWindowFocus: 'always' as const,
});

/** Sign-ins that go on, each of which can be ended. */
export function Sessions({ owner, mayEnd, children }: { owner: SessionOwner; mayEnd: boolean; children?: ReactNode }) {
  const sessions = useQuery(sessionsQuery(owner));
  const end = useCommand({
    send: (session: string, header) => owner.end(session, header),
    touches: [[...owner.key]],
    onDone: () => say('That sign-in is over.'),
    onRefused: (error) => say(wordsOf(error), 'bad'),
  });
  const items = sessions.data?.items ?? [];
  return (
    <section className="section" aria-label="Sign-ins">
      <header className="section-head">
        <h2>Sign-ins</h2>
        {children}
      </header>
      {sessions.isError && !sessions.data && <Failed error={sessions.error} again={() => void sessions.refetch()} />}
      {sessions.isPending && <Loading lines={2} />}
      {sessions.data && items.length === 0 && <p className="soft">Not signed in anywhere.</p>}
      {items.length > 0 && (
        <Scroll label="Sign-ins">
          <table className="plain">
            <thead>
              <tr>
                <th scope="col">Since</th>
                <th scope="col">Last seen</th>
                <th scope="col" className="only-wide">
                  Until
                </th>
                <th scope="col">
                  <span className="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {items.map(({ id, created_at, refreshed_at, expires_at, current }) => (
                <tr key={id}>
                  <th scope="row">
                    <Ago at={created_at} suffix=" ago" />
                  </th>
                  <td className="soft">
                    <Ago at={refreshed_at} suffix=" ago" />
                  </td>
                  <td className="soft only-wide">{exactly(expires_at)}</td>
                  <td className="at-end">
                    {current ? (
                      <strong>this one</strong>
                    ) : (
                      mayEnd && (
                        <Button
                          aria-label={`End the sign-in of ${exactly(created_at)}`}
                          disabled={end.isPending}
                          onClick={() => end.mutate(id)}
                        >
                          End
                        </Button>
                      )
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}
