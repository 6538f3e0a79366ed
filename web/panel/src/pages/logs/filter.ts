import type { Schemas } from '../../api.ts';
import { oneOf, text } from '../../shell/search.ts';

export type Level = Schemas['LogLevel'];

/** In ascending order; the server's names. */
export const LEVELS: readonly Level[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** How far back one looks, in ms. The first is looked at when the address names no time. */
export const LASTS = [
  { last: '24h', words: 'last 24 hours', span_ms: 86_400_000 },
  { last: '15m', words: 'last 15 minutes', span_ms: 900_000 },
  { last: '1h', words: 'last hour', span_ms: 3_600_000 },
  { last: '6h', words: 'last 6 hours', span_ms: 21_600_000 },
  { last: '7d', words: 'last 7 days', span_ms: 604_800_000 },
  { last: '30d', words: 'last 30 days', span_ms: 2_592_000_000 },
  { last: 'all', words: 'all time', span_ms: Infinity },
] as const;

/** Which lines. */
export interface LogsFilter {
  /** Words or parts of words; within quotation marks, several as one. */
  q?: string;
  /** At least as bad. */
  level?: Level;
  source?: string;
  server?: string;
  execution?: string;
  /** Members of a line's fields as `key:value`, all of them. */
  field?: string[];
  /** One of `LASTS`. Beside a fixed range it counts for nothing. */
  last?: (typeof LASTS)[number]['last'];
  /** A fixed range: from the first time up to, but without, the second. */
  since?: string;
  before?: string;
}

/** What the address says. */
export interface LogsSearch extends LogsFilter {
  /** The line that is open. */
  line?: string;
  /** Times are shown as how long ago they were. */
  times?: 'ago';
}

/** How many fields the server looks for at once. */
const MOST_FIELDS = 10;

const lasts = LASTS.map(({ last }) => last);

/** Reads the address. What it does not know, it leaves out. */
export function readLogsSearch(search: Record<string, unknown>): LogsSearch {
  return {
    ...text('q', search),
    ...oneOf('level', search, LEVELS),
    ...text('source', search),
    ...text('server', search),
    ...fitting('execution', search, (value) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)),
    ...fieldsOf(search['field']),
    ...oneOf('last', search, lasts),
    ...fitting('since', search, isTime),
    ...fitting('before', search, isTime),
    ...fitting('line', search, (value) => /^\d{1,15}\.\d{1,9}$/.test(value)),
    ...oneOf('times', search, ['ago'] as const),
  };
}

function fitting<Name extends string>(name: Name, search: Record<string, unknown>, fits: (value: string) => boolean) {
  const value = search[name];
  return (typeof value === 'string' && fits(value) ? { [name]: value } : {}) as { [key in Name]?: string };
}

function fieldsOf(asked: unknown): { field?: string[] } {
  const field = [asked].flat().filter((each): each is string => typeof each === 'string' && isField(each));
  return field.length ? { field: [...new Set(field)].slice(0, MOST_FIELDS) } : {};
}

/** Whether a text is `key:value`, as the server takes it. */
export const isField = (text: string) => text.indexOf(':') > 0 && text.length <= 500;

/** A member of a line's fields as it is looked for; nothing where it cannot be. */
export function fieldOf(key: string, value: unknown): string | undefined {
  const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  const field = `${key}:${String(value)}`;
  return isPlain && !key.includes(':') && isField(field) ? field : undefined;
}

const isTime = (value: string) => /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(value) && !isNaN(Date.parse(value));

/** From when to when, as far as there are bounds. */
export function rangeOf({ since, before, last }: LogsFilter, now_ms: number): { since?: string; before?: string } {
  if (since !== undefined || before !== undefined) return { ...(since && { since }), ...(before && { before }) };
  const { span_ms } = LASTS.find((one) => one.last === last) ?? LASTS[0];
  return span_ms === Infinity ? {} : { since: new Date(now_ms - span_ms).toISOString() };
}

/** A filter as the API takes it. */
export function queryOf(filter: LogsFilter, now_ms: number) {
  const { q, level, source, server, execution, field } = filter;
  return {
    ...(q && { q }),
    ...(level && { level }),
    ...(source && { source }),
    ...(server && { server }),
    ...(execution && { execution }),
    ...(field && { field }),
    ...rangeOf(filter, now_ms),
  };
}

/** Words, and within quotation marks several as one; the same rule as the server's. */
export function piecesOf(words: string): string[] {
  return words
    .split('"')
    .flatMap((part, nth) => (nth % 2 ? [part] : part.split(/\s+/)))
    .filter(Boolean);
}

/** What a filter without words says of a batch; the levels are those that it has lines of. */
export function mayFit(
  batch: { source: string; server?: string | null; execution?: string | null; levels: object },
  { source, server, execution, level }: LogsFilter,
): boolean {
  const worst = Math.max(...Object.keys(batch.levels).map((each) => LEVELS.indexOf(each as Level)));
  return (
    (source === undefined || source === batch.source) &&
    (server === undefined || server === batch.server) &&
    (execution === undefined || execution.toLowerCase() === batch.execution) &&
    (level === undefined || worst >= LEVELS.indexOf(level))
  );
}

/** Whether a line of a batch that may fit does; the same rule as the server's. */
export function fits(
  line: { at: string; level: string; message: string; fields?: unknown },
  filter: LogsFilter,
  now_ms: number,
) {
  const { since, before } = rangeOf(filter, now_ms);
  const at = Date.parse(line.at);
  const message = line.message.toLowerCase();
  return (
    (filter.level === undefined || LEVELS.indexOf(line.level as Level) >= LEVELS.indexOf(filter.level)) &&
    (since === undefined || at >= Date.parse(since)) &&
    (before === undefined || at < Date.parse(before)) &&
    piecesOf(filter.q ?? '').every((piece) => message.includes(piece.toLowerCase())) &&
    (filter.field ?? []).every((field) => hasField(line.fields, field))
  );
}

/** As JSON writes a number, so that `0x10` and nothing are none. */
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

function hasField(fields: unknown, wanted: string): boolean {
  const key = wanted.slice(0, wanted.indexOf(':'));
  const text = wanted.slice(key.length + 1);
  const all = (fields ?? {}) as Record<string, unknown>;
  const value = Object.hasOwn(all, key) ? all[key] : undefined;
  if (typeof value === 'number' && NUMBER.test(text)) return value === Number(text);
  return value != null && text === (typeof value === 'string' ? value : JSON.stringify(value));
}
