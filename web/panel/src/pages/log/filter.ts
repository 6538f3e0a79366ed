import { text, whole } from '../../shell/search.ts';

/** What the address says to show of the log. */
export interface LogFilter {
  /** Names and families, separated by commas. */
  types?: string;
  /** One aggregate's stream. */
  stream?: string;
  /** Done by: an id such as `user:0198…`, or the name they had then. */
  actor?: string;
  /** Of one story: what shares its correlation. */
  correlation?: string;
  /** Recorded at this time or later, and before this time; RFC 3339. */
  since?: string;
  until?: string;
  /** Events before this position; absent: the newest, and it goes on. */
  before?: number;
  /** The event that is open. */
  seq?: number;
}

/** What narrows the log, and what each is called. */
export const NARROWING = {
  types: 'type',
  stream: 'stream',
  actor: 'by',
  correlation: 'of the story',
  since: 'since',
  until: 'until',
  before: 'before',
} as const;

/** Nothing of it. */
export const WHOLE = Object.fromEntries(Object.keys(NARROWING).map((name) => [name, undefined]));

/** Reads the address. What it does not know, it leaves out. */
export function readLogFilter(search: Record<string, unknown>): LogFilter {
  return {
    ...text('types', search),
    ...text('stream', search),
    ...text('actor', search),
    ...text('correlation', search),
    ...text('since', search),
    ...text('until', search),
    ...whole('before', search),
    ...whole('seq', search),
  };
}

/** As the server is asked, for a list as for a file. */
export function wanted({ types, stream, actor, correlation, since, until, before }: LogFilter) {
  return {
    ...(types ? { types } : {}),
    ...(stream ? { stream } : {}),
    ...(actor ? { actor } : {}),
    ...(correlation ? { correlation_id: correlation } : {}),
    ...(since ? { since } : {}),
    ...(until ? { before: until } : {}),
    ...(before === undefined ? {} : { to_seq: before - 1 }),
  };
}

/** Where the log is as a file, within a filter. */
export function exportLink(filter: LogFilter, format: 'ndjson' | 'csv'): string {
  const query = new URLSearchParams({ format });
  for (const [name, value] of Object.entries(wanted(filter))) query.set(name, String(value));
  return `/api/v1/events/export?${query}`;
}

/** Whether what happens from now on belongs here. */
export function isOpenEnded({ before, until }: LogFilter): boolean {
  return before === undefined && until === undefined;
}

/** Whether a new event is of the filter; the same rule as the server's. */
export function isShown(
  event: { type: string; stream: string; actor: { id: string; name: string }; correlation_id: string },
  { types, stream, actor, correlation }: LogFilter,
): boolean {
  const fits = (pattern: string) =>
    pattern === event.type || (pattern.endsWith('.*') && event.type.startsWith(pattern.slice(0, -1)));
  return (
    (stream === undefined || stream === event.stream) &&
    (actor === undefined || actor === event.actor.id || actor === event.actor.name) &&
    (correlation === undefined || correlation === event.correlation_id) &&
    (types?.split(',').some(fits) ?? true)
  );
}
