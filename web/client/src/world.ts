/** What tells that now is a good moment to look whether the connection lives. */
export type Nudge = 'woke' | 'online' | 'offline';

/** What the client takes from the world around it. Tests bring a clock of their own. */
export interface World {
  /** Milliseconds, as `Date.now()`. */
  now(): number;
  /** Calls once, after so many ms, unless the returned function is called before. */
  after(ms: number, call: () => void): () => void;
  /** From 0 to 1, without 1. */
  random(): number;
  fetch: typeof fetch;
  /** Whether the machine says that it has a network. It may be wrong. */
  isOnline(): boolean;
  /** Hears of nudges until the returned function is called. */
  onNudge(listener: (nudge: Nudge) => void): () => void;
}

/** The browser, or whatever runs this. */
export const outside: World = {
  now: () => Date.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
  fetch: (...request) => fetch(...request),
  isOnline: () => globalThis.navigator?.onLine ?? true,
  onNudge(listener) {
    const ending = new AbortController();
    const on = (target: EventTarget | undefined, type: string, nudge: () => Nudge | undefined) =>
      target?.addEventListener?.(type, () => tell(nudge()), { signal: ending.signal });
    const tell = (nudge: Nudge | undefined) => nudge && listener(nudge);
    on(globalThis, 'online', () => 'online');
    on(globalThis, 'offline', () => 'offline');
    on(globalThis, 'pageshow', () => 'woke');
    on(globalThis.document, 'resume', () => 'woke');
    on(globalThis.document, 'visibilitychange', () => (document.visibilityState === 'visible' ? 'woke' : undefined));
    return () => ending.abort();
  },
};

/** Waits. Resolves early, without an error, when the signal aborts. */
export function pause(world: World, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || ms <= 0) return resolve();
    const done = () => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = world.after(ms, done);
    signal.addEventListener('abort', done);
  });
}
