import { type Frame, frameReader } from './frames.ts';
import type { Cursor } from './journal.ts';
import { type Asker, type Refusal, type SignedOut, type Unreachable, ask, query, unreachable } from './request.ts';

/** The server says something at once. A proxy that gathers what it should pass on does not. In ms. */
export const FIRST_BYTES_MS = 15_000;
/** Silence after which a stream is given up; the server says something every 15 s. In ms. */
export const SILENCE_MS = 60_000;
/** The same after the machine slept or its network changed: one word of the server's, and some slack. In ms. */
export const DOUBT_MS = 20_000;
/** How often the watchdog looks. Timers that come much later than that tell of a sleep. In ms. */
const LOOK_MS = 5_000;

/** How an attempt to stream ended. */
export type End =
  | { kind: 'closed' }
  | { kind: 'bye'; reason: string; reconnect: boolean; retry_ms: number }
  | { kind: 'silent' }
  | { kind: 'no_stream'; detail: string }
  | { kind: 'stopped' }
  | Refusal
  | Unreachable
  | SignedOut;

/** What an attempt tells while it lasts. */
export interface StreamHandlers {
  /** The server accepted it. */
  opened(): void;
  /** Any bytes came. */
  heard(): void;
  frame(frame: Frame): void;
  bookmark(seq: number): void;
}

/** One attempt under way. */
export interface Attempt {
  ended: Promise<End>;
  /** Looks whether it still lives: at once if it was silent for long, else within `DOUBT_MS`. */
  doubt(): void;
}

/**
 * Opens one stream behind `from` and follows it to its end.
 *
 * @param ticket Gives a one-time stream id, instead of what `asker` would send.
 * @param resumed It is a reconnection: the header says so to the server's metrics, and the query does not.
 */
export function openStream(
  asker: Asker,
  from: Cursor,
  options: { ticket: (() => Promise<string>) | undefined; resumed: boolean; signal: AbortSignal },
  handlers: StreamHandlers,
): Attempt {
  const ending = new AbortController();
  const stop = () => ending.abort();
  options.signal.addEventListener('abort', stop);
  const watch = watchdog(asker.world, stop);
  const bytes = () => {
    watch.heard();
    handlers.heard();
  };
  const attempt = async (): Promise<End> => {
    const response = await request(asker, from, options, ending.signal);
    if (!(response instanceof Response)) return response;
    const type = response.headers.get('content-type') ?? '';
    if (!type.startsWith('text/event-stream') || !response.body) {
      stop(); // the rest of it is of no interest
      return { kind: 'no_stream', detail: `the answer is ${type || 'nothing'}` };
    }
    handlers.opened();
    return follow(response.body, bytes, handlers);
  };
  const ended = attempt()
    .catch(unreachable)
    .then((end): End => (options.signal.aborted ? { kind: 'stopped' } : watch.barked() ? { kind: 'silent' } : end))
    .finally(() => {
      options.signal.removeEventListener('abort', stop);
      watch.stop();
      stop();
    });
  return { ended, doubt: watch.doubt };
}

async function request(
  asker: Asker,
  from: Cursor,
  options: { ticket: (() => Promise<string>) | undefined; resumed: boolean },
  signal: AbortSignal,
) {
  const id = options.ticket ? `/${encodeURIComponent(await options.ticket())}` : '';
  const header = options.resumed && from.after !== undefined;
  const where = query(asker.filter, { last_event_id: header ? undefined : from.after, epoch: from.epoch });
  const headers: Record<string, string> = { Accept: 'text/event-stream' };
  if (header) headers['Last-Event-ID'] = String(from.after);
  return ask(asker, `${asker.base}/api/v1/events/stream${id}?${where}`, headers, signal);
}

/** Reads to the end, or to the server's farewell. */
async function follow(body: ReadableStream<Uint8Array>, bytes: () => void, handlers: StreamHandlers): Promise<End> {
  let bye: End | undefined;
  let retry_ms = 0;
  const feed = frameReader({
    ...handlers,
    frame(frame) {
      if (bye) return; // nothing follows a farewell
      if (frame.event === 'bye') bye = farewell(frame.data, retry_ms);
      else handlers.frame(frame);
    },
    retry: (ms) => (retry_ms = ms),
  });
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { kind: 'closed' };
    bytes();
    feed(value);
    if (bye) return bye;
  }
}

function farewell(data: string, retry_ms: number): End {
  let said: { reason?: string; reconnect?: boolean } = {};
  try {
    said = JSON.parse(data) ?? {};
  } catch {
    // A farewell is one whatever it says.
  }
  return { kind: 'bye', reason: said.reason ?? 'unknown', reconnect: said.reconnect !== false, retry_ms };
}

/** Calls `bark` after too long a silence. Counts any bytes, by a clock that goes on while the machine sleeps. */
function watchdog(world: Asker['world'], bark: () => void) {
  let heardAt = world.now();
  let lookedAt = heardAt;
  let limit_ms = FIRST_BYTES_MS;
  let barked = false;
  let stopped = false;
  let cancel = () => {};
  const look = () => {
    if (stopped) return;
    const now = world.now();
    if (now - lookedAt > 3 * LOOK_MS) limit_ms = Math.min(limit_ms, DOUBT_MS);
    lookedAt = now;
    cancel();
    if (now - heardAt >= limit_ms) {
      barked = true;
      return bark();
    }
    cancel = world.after(LOOK_MS, look);
  };
  look();
  return {
    heard() {
      heardAt = world.now();
      limit_ms = SILENCE_MS;
    },
    doubt() {
      limit_ms = Math.min(limit_ms, DOUBT_MS);
      look();
    },
    barked: () => barked,
    stop() {
      stopped = true;
      cancel();
    },
  };
}
