import { accepted, rule } from '@signalbox/client/react';

import { api, type Schemas } from '../../api.ts';

export type Server = Schemas['Server'];
export type ServerStatus = Schemas['ServerStatus'];

export const SERVER_STATUSES: readonly ServerStatus[] = ['down', 'pending', 'maintenance', 'up'];

/** Servers of an answer, the most there are. */
const PAGE_SERVERS = 200;

/** What the address says to list. */
export interface ServerFilter {
  status?: ServerStatus[];
  q?: string;
}

/** The inventory by name. */
export function serversQuery(filter: ServerFilter) {
  return {
    queryKey: ['servers', filter],
    queryFn: async ({ signal }: { signal: AbortSignal }) => {
      const items: Server[] = [];
      let cursor: string | null | undefined;
      do {
        const query = { ...filter, limit: PAGE_SERVERS, ...(cursor ? { cursor } : {}) };
        const page: Schemas['ServerPage'] = accepted(await api.GET('/api/v1/servers', { params: { query }, signal }));
        items.push(...page.items);
        cursor = page.next;
      } while (cursor);
      return items;
    },
  };
}

/** What is asked about one server, under one key. */
export const serverKey = (id: string) => ['server', id] as const;

/** Servers change seldom: what changed is loaded again. Reports of load come often, and concern one page only. */
export const serverRules = [
  rule('server.*', {
    invalidate: ({ type, stream }) => {
      const id = stream.slice('server/'.length);
      if (type === 'server.metrics.reported') return [[...serverKey(id), 'utilization']];
      return [['servers'], serverKey(id)];
    },
  }),
];
