import { accepted } from '@signalbox/client/react';

import { api, type Schemas } from '../../api.ts';
import { type LogFilter, wanted } from './filter.ts';

export type Event = Schemas['Event'];

/** Events, newest first, and where to go on. */
export interface Found {
  items: Event[];
  /** The position up to which the next page is; absent when the log begins here. */
  next: number | undefined;
}

/**
 * Reads the log backwards, from the end of the filter or up to a position. The server looks at a bounded part of the
 * log and may find nothing in it: then it is asked to go on, as long as somebody waits.
 */
export async function search(filter: LogFilter, upTo: number | undefined, limit: number, signal: AbortSignal) {
  const found: Found = { items: [], next: upTo };
  do {
    const to = found.next === undefined ? {} : { to_seq: found.next };
    const query = { ...wanted(filter), ...to, limit };
    const { items, next } = accepted(await api.GET('/api/v1/events/search', { params: { query }, signal }));
    found.items = items;
    found.next = next ?? undefined;
  } while (found.items.length === 0 && found.next !== undefined && !signal.aborted);
  return found;
}

/** The registered types, which change with the server's version only. */
export const typesQuery = {
  queryKey: ['event types'],
  queryFn: async () => accepted(await api.GET('/api/v1/event-types')).items,
};
