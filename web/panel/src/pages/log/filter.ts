import { text, whole } from '../../shell/search.ts';

/** What the address says to show of the log. */
export interface LogFilter {
  /** Names and families, separated by commas. */
  types?: string;
  /** One aggregate's stream. */
  stream?: string;
  /** Events before this position; absent: the newest, and it goes on. */
  before?: number;
  /** The event that is open. */
  seq?: number;
}

/** Reads the address. What it does not know, it leaves out. */
export function readLogFilter(search: Record<string, unknown>): LogFilter {
  return {
    ...text('types', search),
    ...text('stream', search),
    ...whole('before', search),
    ...whole('seq', search),
  };
}

/** Whether an event is of the filter; the same rule as the server's. */
export function isShown(event: { type: string; stream: string }, filter: LogFilter): boolean {
  const { types, stream } = filter;
  const fits = (pattern: string) =>
    pattern === event.type || (pattern.endsWith('.*') && event.type.startsWith(pattern.slice(0, -1)));
  return (stream === undefined || stream === event.stream) && (types?.split(',').some(fits) ?? true);
}
