import { type ReactNode, createContext, useContext, useSyncExternalStore } from 'react';

import type { Connection } from '../connect.ts';
import type { Status } from '../status.ts';

const Context = createContext<Connection | undefined>(undefined);

/** Gives a connection to all below. It is opened and closed by whoever made it. */
export function ConnectionProvider({ connection, children }: { connection: Connection; children?: ReactNode }) {
  return <Context.Provider value={connection}>{children}</Context.Provider>;
}

/** The connection given from above. */
export function useConnection(): Connection {
  const connection = useContext(Context);
  if (!connection) throw new Error('there is no ConnectionProvider above');
  return connection;
}

/** How it is, rendered anew at each change. */
export function useConnectionStatus(): Status {
  const connection = useConnection();
  return useSyncExternalStore(
    connection.onStatus,
    () => connection.status,
    () => connection.status,
  );
}
