import { setImmediate as turn } from 'node:timers/promises';

import type { Nudge, World } from '../src/world.ts';

/** A world whose time stands still until it is told to go on; its network is the real one, and takes real time. */
export interface ManualWorld extends World {
  /** Goes on by so many ms, and calls what falls due on the way, each with time for what follows from it. */
  advance(ms: number): Promise<void>;
  nudge(nudge: Nudge): void;
  online: boolean;
  /** What `random()` gives. */
  luck: number;
  /** When the next timers fall due, in ms from now. */
  readonly due: number[];
}

export function manualWorld(): ManualWorld {
  let now = Date.parse('2026-01-01T00:00:00Z');
  let timers: { at: number; call: () => void }[] = [];
  const listeners = new Set<(nudge: Nudge) => void>();
  const world: ManualWorld = {
    luck: 0.5,
    online: true,
    now: () => now,
    random: () => world.luck,
    fetch: (...request) => fetch(...request),
    isOnline: () => world.online,
    after(ms, call) {
      const timer = { at: now + ms, call };
      timers.push(timer);
      return () => void (timers = timers.filter((one) => one !== timer));
    },
    onNudge(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    nudge(nudge) {
      world.online = nudge !== 'offline';
      for (const listener of listeners) listener(nudge);
    },
    get due() {
      return timers.map(({ at }) => at - now).sort((a, b) => a - b);
    },
    async advance(ms) {
      const end = now + ms;
      for (;;) {
        await turn();
        const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        now = Math.max(now, next.at);
        timers = timers.filter((one) => one !== next);
        next.call();
      }
      now = end;
      await turn();
    },
  };
  return world;
}

/** Waits, in real time, until something holds that the network or another task brings about. */
export async function until(holds: () => boolean, what = holds.toString(), limit_ms = 30_000): Promise<void> {
  const deadline = performance.now() + limit_ms;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`waited ${limit_ms} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
