import type { Connection } from '@signalbox/client';
import { bindQueries } from '@signalbox/client/react';
import type { QueryClient } from '@tanstack/react-query';

import { incidentRules } from './incidents/live.ts';
import { serverRules } from './servers/query.ts';

/** Binds what pages keep in the cache to events. A page that caches something adds its rules here. */
export function bindPages(connection: Connection, queries: QueryClient): () => void {
  return bindQueries(connection, queries, [...incidentRules, ...serverRules]);
}
