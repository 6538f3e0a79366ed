import { type Connection, connect, cursorOf, oneStream } from '@signalbox/client';
import { ConnectionProvider } from '@signalbox/client/react';
import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useState } from 'react';

import { api } from '../api.ts';
import { bindPages } from '../pages/events.ts';
import { followRights } from '../session/rights.ts';

/** Follows events for whoever is signed in and keeps what is cached current. Shows its children once it is there. */
export function Live(props: { user: string; onSignedOut: () => void; children: ReactNode }) {
  const { user, onSignedOut, children } = props;
  const queries = useQueryClient();
  const [connection, setConnection] = useState<Connection>();
  useEffect(() => {
    const made = connect({
      share: oneStream({ user }),
      // So that operators see in the metrics what people see: fallbacks, and how late changes are on the screen.
      report: 'server',
      load: async () => {
        // What pages load later is at least as new as this position, so nothing falls between.
        const { response } = await api.GET('/api/v1/event-types');
        if (!response.ok) throw new Error(`cannot begin: ${response.status}`);
        return cursorOf(response);
      },
    });
    const unbind = bindPages(made, queries);
    const unfollow = followRights(made, queries);
    made.onStatus(({ state, reason }) => {
      if (state === 'off' && (reason === 'signed_out' || reason === 'revoked')) onSignedOut();
    });
    setConnection(made);
    return () => {
      unbind();
      unfollow();
      made.close();
    };
  }, [user, queries, onSignedOut]);
  return connection && <ConnectionProvider connection={connection}>{children}</ConnectionProvider>;
}
