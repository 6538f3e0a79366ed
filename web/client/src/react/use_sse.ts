import { useEffect, useLayoutEffect, useRef } from 'react';

import type { Matching, Pattern } from '../event.ts';
import type { Status } from '../status.ts';
import { useConnection, useConnectionStatus } from './context.tsx';

/**
 * Calls for each event of a type, family or `*` while the component is there, and gives how the connection is.
 *
 * The handler may be a new function at each render: the newest is called, and nothing is subscribed anew.
 */
export function useSSE<P extends Pattern | (string & {})>(
  pattern: P,
  handler: (event: Matching<P>) => unknown,
): Status {
  const connection = useConnection();
  const newest = useRef(handler);
  useLayoutEffect(() => {
    newest.current = handler;
  });
  useEffect(() => connection.on(pattern, (event) => newest.current(event)), [connection, pattern]);
  return useConnectionStatus();
}
