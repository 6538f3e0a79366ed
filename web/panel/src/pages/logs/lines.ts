import type { EventOf } from '@signalbox/client';

import type { Schemas } from '../../api.ts';

export type Line = Schemas['LogLine'];

/** A stretch of the list without a hole, newest first. */
export interface Stretch {
  items: Line[];
  /** There are newer ones, and older ones, that are not loaded. */
  newer: boolean;
  older: boolean;
}

/** A time in microseconds since 1970: the server has them, `Date` has not. */
export function micros(at: string): number {
  const beyond = /\.\d{3}(\d{1,3})/.exec(at)?.[1] ?? '';
  return Date.parse(at) * 1000 + Number(beyond.padEnd(3, '0'));
}

/** The order of all lists, turned round: time, then the order of recording. */
export function newestFirst(a: Line, b: Line): number {
  const [seqA, lineA] = a.id.split('.').map(Number) as [number, number];
  const [seqB, lineB] = b.id.split('.').map(Number) as [number, number];
  return micros(b.at) - micros(a.at) || seqB - seqA || lineB - lineA;
}

/** The lines of a batch as lists have them; nothing where the event only counts them. */
export function linesOf({ seq, recorded_at, data }: EventOf<'log.added'>): Line[] | undefined {
  const { source, server, execution } = data;
  return data.lines?.map(({ at, level = 'info', message, fields }, place) => ({
    id: `${seq}.${place + 1}`,
    at: at ?? recorded_at,
    recorded_at,
    level,
    source,
    ...(server && { server }),
    ...(execution && { execution }),
    message,
    ...(fields && Object.keys(fields).length > 0 && { fields }),
  }));
}

/**
 * Puts lines that arrived where they belong, each once, and keeps at most so many of the newest. Those beyond the end
 * of what is loaded are left out: they come when that is reached.
 */
export function admitted({ items, newer, older }: Stretch, arrived: Line[], most: number): Stretch {
  const known = new Set(items.map(({ id }) => id));
  const last = items[items.length - 1];
  const added = new Map<string, Line>();
  for (const line of arrived) {
    const isBeyond = older && last !== undefined && newestFirst(last, line) < 0;
    if (!known.has(line.id) && !isBeyond) added.set(line.id, line);
  }
  if (added.size === 0) return { items, newer, older };
  const all = [...added.values(), ...items].sort(newestFirst);
  return { items: all.slice(0, most), newer, older: older || all.length > most };
}
