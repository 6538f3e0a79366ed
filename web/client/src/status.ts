import type { OffReason } from './verdict.ts';

/**
 * - `connecting`: no way to the events yet, or not any more; trying.
 * - `replaying`: the stream is open and sends what was missed.
 * - `live`: everything is told as it happens.
 * - `polling`: everything is told, by asking; the stream is tried now and then.
 * - `offline`: the machine has no network.
 * - `off`: over, for `reason`.
 */
export type State = 'connecting' | 'replaying' | 'live' | 'polling' | 'offline' | 'off';

/** How the connection is. A new object at each change, the same between. */
export interface Status {
  readonly state: State;
  /** Why it is not live: a code such as `unreachable`, `disabled`, `too_many_streams`, or for `off` an `OffReason`. */
  readonly reason: OffReason | (string & {}) | undefined;
  /** What the server said to it, for people. */
  readonly detail: string | undefined;
  /** When the state began, in ms as of `Date.now()`. */
  readonly since: number;
  /** When the next attempt at the stream is due; undefined while there is one. */
  readonly retryAt: number | undefined;
  /**
   * What the user may do, as permissions with spaces between, since the stream said that it is something else now;
   * undefined until then. Only a stream says it: ask `/api/v1/me` when it is live again, and now and then while polling.
   */
  readonly scope: string | undefined;
  /** Whether this tab holds the browser's stream. */
  readonly leads: boolean;
}

/** Keeps a status and tells its listeners when it changes. */
export function createStatus(now: () => number) {
  const listeners = new Set<(status: Status) => void>();
  let status: Status = {
    state: 'connecting',
    reason: undefined,
    detail: undefined,
    since: now(),
    retryAt: undefined,
    scope: undefined,
    leads: true,
  };
  return {
    listeners,
    get value() {
      return status;
    },
    set(change: Partial<Omit<Status, 'since'>>) {
      const next = { ...status, ...change };
      const same = (Object.keys(change) as (keyof typeof change)[]).every((key) => status[key] === next[key]);
      if (same || status.state === 'off') return;
      status = { ...next, since: next.state === status.state ? status.since : now() };
      for (const listener of [...listeners]) listener(status);
    },
  };
}

export type StatusBox = ReturnType<typeof createStatus>;
