// The examples of README.md, so that the compiler reads them. tests/readme.test.ts compares the regions.
import type { QueryClient } from '@tanstack/react-query';

import { type components, createApi } from '../src/api.ts';
import { type EventOf, connect, cursorOf, oneStream } from '../src/index.ts';
import {
  ConnectionProvider,
  ConnectionStatus,
  accepted,
  rule,
  useOptimisticCommand,
  useQueryEvents,
  useSSE,
} from '../src/react/index.ts';

type Incident = components['schemas']['Incident'];
declare const me: components['schemas']['Me'];
declare function show(incidents: Incident[]): void;
declare function announce(title: string): void;
declare function addComment(client: QueryClient, event: EventOf<'incident.commented'>): void;

export function first() {
  // #region
  const connection = connect(); // the page's own origin, with the cookie that signing in set
  connection.on('incident.status.changed', (event) => {
    console.log(`${event.stream}: ${event.data.old} -> ${event.data.new}`); // typed by the registry
  });
  connection.onStatus(({ state, reason }) => console.log(state, reason ?? ''));
  // #endregion
}

// #region
const api = createApi();
const connection = connect({
  types: ['incident.*'],
  load: async () => {
    const { data, response } = await api.GET('/api/v1/incidents');
    if (!data) throw new Error(`cannot load: ${response.status}`); // tried again
    show(data.items);
    return cursorOf(response);
  },
});
// #endregion

// #region
connect({ share: oneStream({ user: me.id }) });
// #endregion

// #region
const RULES = [
  rule('incident.*', { invalidate: (event) => [['incidents'], ['incident', event.stream]] }),
  rule('incident.commented', { patch: (client, event) => addComment(client, event) }), // no request at all
];

function Incidents() {
  useQueryEvents(RULES); // TanStack Query: bursts are gathered, and nothing is loaded while it catches up
  useSSE('incident.created', (event) => announce(event.data.title));
  return <ConnectionStatus />; // Live · 3 s ago
}

<ConnectionProvider connection={connection}>
  <Incidents />
</ConnectionProvider>;
// #endregion

export function useAcknowledge() {
  // #region
  const acknowledge = useOptimisticCommand({
    queryKey: (key: string) => ['incident', key],
    apply: (incident: Incident) => ({ ...incident, status: 'acknowledged' as const }),
    send: async (incident, header) =>
      accepted(
        await api.POST('/api/v1/incidents/{incident}/status', {
          params: { path: { incident }, header },
          body: { to: 'acknowledged' },
        }),
      ),
  });
  // #endregion
  return acknowledge;
}
