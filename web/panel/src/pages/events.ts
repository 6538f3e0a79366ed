import type { Connection } from '@signalbox/client';
import { bindQueries, rule } from '@signalbox/client/react';
import type { QueryClient } from '@tanstack/react-query';

import { incidentRules } from './incidents/live.ts';
import { serverRules } from './servers/query.ts';

/** What one may do changes what is offered, at once. */
const meRules = [rule('user.roles.changed', { invalidate: () => [['me']] })];

/** Binds what pages keep in the cache to events. A page that caches something adds its rules here. */
export function bindPages(connection: Connection, queries: QueryClient): () => void {
  return bindQueries(connection, queries, [...meRules, ...incidentRules, ...serverRules]);
}
