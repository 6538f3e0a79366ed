import type { End } from './stream.ts';

/** Why a connection is off for good. */
export type OffReason = 'closed' | 'revoked' | 'signed_out' | 'forbidden' | 'bad_request' | 'gone';

/** What follows from the way in which an attempt ended. */
export type Verdict =
  /** There is no point in trying again. */
  | { next: 'stop'; reason: OffReason; detail: string }
  /** Get a new token, then try at once. */
  | { next: 'renew' }
  /** Poll now, and probe the stream from `floor_ms` on. */
  | { next: 'poll'; reason: string; floor_ms: number }
  /** Try again, from `floor_ms` on. `counts`: streams as such may not work here. */
  | { next: 'retry'; reason: string; floor_ms: number; counts: boolean };

/** Farewells that say: poll meanwhile. */
const POLL_AFTER = ['disabled', 'degraded'];
/**
 * Refusals that ask for another way of following, beside those whose problem allows polling: a user whose places
 * are all taken, perhaps in other browsers, shall see news all the same.
 */
const POLL_INSTEAD = ['too_many_streams'];
/** Refusals of a server that is well and asks for patience. Polling would only be more work for it. */
const PATIENCE = ['too_many_at_once', 'too_many_requests', 'stopping'];

/**
 * Decides.
 *
 * @param useful The stream carried something with a position, so streams do work here. Closed then, however soon and
 * however often, it is opened again; only what never worked counts towards polling.
 */
export function verdict(end: End, useful: boolean): Verdict {
  switch (end.kind) {
    case 'stopped':
      return { next: 'stop', reason: 'closed', detail: '' };
    case 'signed_out':
      return { next: 'stop', reason: 'signed_out', detail: 'there is no token' };
    case 'bye':
      if (!end.reconnect) return { next: 'stop', reason: 'revoked', detail: end.reason };
      if (end.reason === 'token_expired') return { next: 'renew' };
      if (POLL_AFTER.includes(end.reason)) return { next: 'poll', reason: end.reason, floor_ms: end.retry_ms };
      return { next: 'retry', reason: end.reason, floor_ms: end.retry_ms, counts: false };
    case 'refused':
      return refused(end);
    case 'closed':
    case 'silent':
    case 'no_stream':
    case 'unreachable':
      return { next: 'retry', reason: end.kind, floor_ms: 0, counts: !useful };
  }
}

/** The same for an answer that refuses, of the stream or of a page. */
export function refused({ status, code, detail, polling, floor_ms }: Extract<End, { kind: 'refused' }>): Verdict {
  const reason = code || `status_${status}`;
  if (polling || POLL_INSTEAD.includes(code)) return { next: 'poll', reason, floor_ms };
  if (status === 401) return { next: 'renew' };
  if (status === 403) return { next: 'stop', reason: 'forbidden', detail };
  if (status === 400 || status === 422) return { next: 'stop', reason: 'bad_request', detail };
  return { next: 'retry', reason, floor_ms, counts: !PATIENCE.includes(code) };
}
