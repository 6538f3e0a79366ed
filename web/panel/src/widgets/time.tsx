import { useSyncExternalStore } from 'react';

const UNITS = [
  ['y', 31_557_600],
  ['mo', 2_629_800],
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
] as const;

/** A length of time in the largest unit that fits, such as `3 min`. */
export function length(seconds: number): string {
  for (const [unit, size] of UNITS) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  return `${Math.max(0, Math.floor(seconds))} s`;
}

/** How long before `now_ms` a time was. */
export function ago(time_ms: number, now_ms: number): string {
  return length((now_ms - time_ms) / 1000);
}

/** A length of time in its two largest units, such as `1 h 34 min`; in one where the second says little. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return 'none yet';
  const at = UNITS.findIndex(([, size]) => seconds >= size);
  if (at === -1) return `${Math.round(seconds)} s`;
  const [unit, size] = UNITS[at]!;
  const [next, step] = UNITS[at + 1] ?? ['s', 1];
  const rest = seconds < 10 * size ? Math.floor((seconds % size) / step) : 0;
  return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${next}` : ''}`;
}

const exact = new Intl.DateTimeFormat(undefined, {
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
  timeZoneName: 'short',
});

/** A time to the second with its zone. */
export function exactly(time: string | number): string {
  return exact.format(new Date(time));
}

/** One clock for all relative times: they change together, once in ten seconds. In ms. */
const TICK_MS = 10_000;
let now_ms = Date.now();
const listeners = new Set<() => void>();
setInterval(() => {
  now_ms = Date.now();
  listeners.forEach((listener) => listener());
}, TICK_MS);

function listen(listener: () => void) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** How long ago; the exact time, with its zone, on hover. */
export function Ago({ at, suffix = '' }: { at: string; suffix?: string }) {
  const now = useSyncExternalStore(listen, () => now_ms);
  const seconds = (now - Date.parse(at)) / 1000;
  return (
    <time dateTime={at} title={exactly(at)}>
      {seconds < 10 ? 'now' : `${length(seconds)}${suffix}`}
    </time>
  );
}

/** How long until a time; the exact time, with its zone, on hover. */
export function Until({ at }: { at: string }) {
  const now = useSyncExternalStore(listen, () => now_ms);
  return (
    <time dateTime={at} title={exactly(at)}>
      {length((Date.parse(at) - now) / 1000)}
    </time>
  );
}
