import { type AuthOptions, createAuth } from './auth.ts';
import type { EventOf, Matching, Pattern } from './event.ts';
import { type FollowOptions, type Reset, follow } from './follow.ts';
import { createHandlers } from './handlers.ts';
import { type Cursor, createJournal } from './journal.ts';
import { createReporter, createServerReporter, type Report } from './report.ts';
import type { Asker, Filter } from './request.ts';
import type { Share } from './share.ts';
import { type Status, createStatus } from './status.ts';
import { outside, type World } from './world.ts';

/** How to connect. */
export interface ConnectOptions extends Filter, AuthOptions {
  /** The server's origin, such as `https://signalbox.example`; by default that of the page. */
  url?: string;
  /** Begin behind this place: `cursorOf(response)` of a list. Without it and `load`: with what happens from now on. */
  from?: Cursor;
  /**
   * Loads what is to be kept current and says as of where, as `cursorOf(response)`. Called first of all and again
   * whenever the cursor means nothing any more. What it throws is tried again.
   */
  load?: (why: 'first' | 'reset') => Promise<Cursor>;
  /** Failures of the stream in a row after which it polls; 3 by default, `false` never. */
  pollAfter?: number | false;
  /** `oneStream({ user })`: one stream for all tabs of this browser; each has its own without. */
  share?: Share;
  /** Hears what handlers throw and what cannot be read; the console by default. */
  onError?: (error: unknown) => void;
  /** Hears of fallbacks, times and latencies; `'server'`: the server counts them in its metrics. */
  report?: ((report: Report) => void) | 'server';
  /** For tests: another clock, network and page. */
  world?: World;
}

/** Events under way. */
export interface Connection {
  /**
   * Calls for each event of a type, family (`incident.*`) or all (`*`), once and in order. The result takes the
   * handler away. An event that the server sends ahead of its turn, being critical, is told then and not again.
   */
  on<P extends Pattern | (string & {})>(pattern: P, handler: (event: Matching<P>) => unknown): () => void;
  /** How it is. */
  readonly status: Status;
  /** Calls at each change of `status`. */
  onStatus(listener: (status: Status) => void): () => void;
  /** Calls when what is shown must be loaded anew. `load` is called by itself. */
  onReset(listener: (reset: Reset) => void): () => void;
  /** The place up to which everything was told. */
  readonly cursor: Readonly<Cursor>;
  /** Ends it. */
  close(): void;
}

/**
 * Follows events, and keeps following: resumes behind the last one, backs off, polls where streams do not work, and
 * comes back by itself. Ends only by `close`, or where the server says that there is no point (`status.reason`).
 */
export function connect(options: ConnectOptions = {}): Connection {
  const world = options.world ?? outside;
  const failed = options.onError ?? ((error: unknown) => console.error('signalbox:', error));
  const guarded = guard(failed);
  const handlers = createHandlers(failed);
  const resetListeners = new Set<(reset: Reset) => void>();
  const base = (options.url ?? globalThis.location?.origin ?? '').replace(/\/+$/, '');
  const { types, stream, session, report } = options;
  const filter = { types, stream, session };
  const asker: Asker = { base, filter, auth: createAuth(options, base, world), world };
  const reporter =
    report === 'server' ? createServerReporter(asker) : report && createReporter(guarded(report), world.now);
  const tell = (event: EventOf) => {
    handlers.tell(event);
    reporter?.event(event);
  };
  const status = createStatus(world.now);
  if (reporter) {
    reporter.status(status.value);
    status.listeners.add(reporter.status);
  }
  const journal = createJournal(options.from ?? {}, tell);
  const pollAfter = options.pollAfter ?? 3;
  const following: FollowOptions = {
    asker,
    journal,
    status,
    ticket: options.ticket,
    pollAfter: pollAfter === false || options.ticket ? Infinity : pollAfter,
    load: options.load,
    loaded: false,
    onStep: () => {},
    onEarly: tell,
    onReset: (reset) => resetListeners.forEach((listener) => guarded(listener)(reset)),
    onError: guarded(failed),
    onHeard: () => {},
  };
  const run = options.share?.([base, filter], following) ?? follow(following);
  return {
    on: handlers.on,
    get status() {
      return status.value;
    },
    onStatus: (listener) => added(status.listeners, guarded(listener)),
    onReset: (listener) => added(resetListeners, listener),
    get cursor() {
      return journal.cursor;
    },
    close() {
      run.stop(); // first: that this tab closes is no news for others
      status.set({ state: 'off', reason: 'closed', detail: undefined, retryAt: undefined });
    },
  };
}

/** Makes callers safe from what a listener throws. */
function guard(failed: (error: unknown) => void) {
  return <T>(listener: (value: T) => void) =>
    (value: T) => {
      try {
        listener(value);
      } catch (error) {
        // What hears of errors may fail itself; then there is nobody left to tell.
        if (listener !== failed) failed(error);
      }
    };
}

function added<T>(all: Set<T>, one: T): () => void {
  all.add(one);
  return () => void all.delete(one);
}
