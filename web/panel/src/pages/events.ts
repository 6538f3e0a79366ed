import type { Connection } from '@signalbox/client';
import { bindQueries, rule } from '@signalbox/client/react';
import type { QueryClient } from '@tanstack/react-query';

import { incidentRules } from './incidents/live.ts';
import { notificationRules } from './notifications/query.ts';
import { runbookRules } from './runbooks/query.ts';
import { serverRules } from './servers/query.ts';
import { userRules } from './users/query.ts';

/** Roles that allow the same and another name are no other rights: the stream does not tell of them. */
const meRules = ['user.roles.changed', 'user.updated'].map((on) => rule(on, { invalidate: () => [['me']] }));

/** Binds what pages keep in the cache to events. A page that caches something adds its rules here. */
export function bindPages(connection: Connection, queries: QueryClient): () => void {
  return bindQueries(connection, queries, [
    ...meRules,
    ...incidentRules,
    ...notificationRules,
    ...serverRules,
    ...userRules,
    ...runbookRules,
  ]);
}
