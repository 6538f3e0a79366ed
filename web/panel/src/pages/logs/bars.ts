import type { Schemas } from '../../api.ts';
import type { Level } from './filter.ts';

/** Levels that are drawn as one, from the bottom of a bar upwards: what is bad stands on the ground. */
export const GROUPS: readonly { name: string; levels: readonly Level[]; colour: string }[] = [
  { name: 'errors', levels: ['error', 'fatal'], colour: '--bad' },
  { name: 'warnings', levels: ['warn'], colour: '--bar-warn' },
  { name: 'info', levels: ['info'], colour: '--bar-info' },
  { name: 'debug', levels: ['debug', 'trace'], colour: '--bar-debug' },
];

/** Counts by group and bucket. */
export interface Bars {
  bucket_s: number;
  /** Where each bucket begins, without a gap. */
  times_s: number[];
  /** For each of `GROUPS`, how many there are in each bucket. */
  counts: number[][];
}

/** The server leaves out buckets without lines; a picture has them. */
export function bars(items: Schemas['LogBucket'][], bucket_s: number, since_s: number, before_s: number): Bars {
  const first = Math.floor(since_s / bucket_s);
  const beyond = Math.max(first + 1, Math.ceil(before_s / bucket_s));
  const times_s = Array.from({ length: beyond - first }, (_, nth) => (first + nth) * bucket_s);
  const counts = GROUPS.map(() => times_s.map(() => 0));
  for (const { at, levels } of items) {
    const bucket = Math.floor(Date.parse(at) / 1000 / bucket_s) - first;
    GROUPS.forEach((group, nth) => {
      const lines = group.levels.reduce((sum, level) => sum + (levels[level] ?? 0), 0);
      if (counts[nth]![bucket] !== undefined) counts[nth]![bucket]! += lines;
    });
  }
  return { bucket_s, times_s, counts };
}

/** How high each group reaches when it stands on those below it; the highest first, as they are drawn. */
export function heights(counts: number[][]): number[][] {
  let below: number[] = [];
  return counts.map((group) => (below = group.map((lines, bucket) => lines + (below[bucket] ?? 0)))).reverse();
}
