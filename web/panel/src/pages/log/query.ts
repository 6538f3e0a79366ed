import { accepted } from '@signalbox/client/react';

import { api, type Schemas } from '../../api.ts';
import type { LogFilter } from './filter.ts';

export type Event = Schemas['Event'];

/** Reads the log forwards. */
export function reader({ types, stream }: LogFilter, signal: AbortSignal) {
  return async (after: number, limit: number) => {
    const query = { after, limit, ...(types ? { types } : {}), ...(stream ? { stream } : {}) };
    const { items, next } = accepted(await api.GET('/api/v1/events', { params: { query }, signal }));
    return { items, next: next ?? after };
  };
}

/** The position of the newest event. */
export async function newest(signal: AbortSignal): Promise<number> {
  const { response } = await api.GET('/api/v1/event-types', { signal });
  return Number(response.headers.get('signalbox-seq') ?? 0);
}

/** The registered types, which change with the server's version only. */
export const typesQuery = {
  queryKey: ['event types'],
  queryFn: async () => accepted(await api.GET('/api/v1/event-types')).items,
};
