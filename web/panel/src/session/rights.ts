import type { Connection } from '@signalbox/client';
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';

import type { Me } from './session.tsx';

/** What a stream of one process said is known to all of them after so long. In ms. */
const EVERYWHERE_MS = 1000;
/** Only streams tell of other rights: while polling they are asked for so often. In ms. */
const POLLED_MS = 5000;

/** Keeps what one may do current: as the stream says it, and asked for where it could not. The result ends it. */
export function followRights(connection: Connection, queries: QueryClient): () => void {
  const ask = () => void queries.invalidateQueries({ queryKey: ['me'] });
  let { scope, state } = connection.status;
  let later: ReturnType<typeof setTimeout> | undefined;
  const polled = setInterval(() => state === 'polling' && ask(), POLLED_MS);
  const end = connection.onStatus((status) => {
    if (status.scope !== undefined && status.scope !== scope) {
      const permissions = status.scope.split(' ').filter(Boolean);
      // At once by what was told; then the roles too, from any process.
      queries.setQueryData<Me>(['me'], (me) => me && { ...me, permissions });
      clearTimeout(later);
      later = setTimeout(ask, EVERYWHERE_MS);
    }
    if (status.state !== state && status.state === 'live') ask();
    ({ scope, state } = status);
  });
  return () => {
    clearTimeout(later);
    clearInterval(polled);
    end();
  };
}

/** What of these is not among those. */
export function lost(before: readonly string[], now: readonly string[]): string[] {
  return before.filter((permission) => !now.includes(permission));
}

/**
 * What one may no longer see is not kept: when a right is lost, all that was loaded is forgotten, and what is on the
 * screen is loaded again, within the rights that are left. Gives how often that happened, as a key for the page, so
 * that nothing stays in it either. When there is a new right, what is shown is loaded again.
 */
export function useLosses(permissions: readonly string[]): number {
  const queries = useQueryClient();
  const [losses, setLosses] = useState(0);
  const before = useRef(permissions);
  useEffect(() => {
    const [gone, gained] = [lost(before.current, permissions), lost(permissions, before.current)];
    before.current = permissions;
    const predicate = ({ queryKey: [name] }: { queryKey: readonly unknown[] }) => name !== 'me';
    if (gone.length > 0) {
      setLosses((count) => count + 1);
      void queries.resetQueries({ predicate });
    } else if (gained.length > 0) void queries.invalidateQueries({ predicate });
  }, [permissions, queries]);
  return losses;
}
