import { backoff } from './backoff.ts';
import type { EventOf } from './event.ts';
import type { Cursor, Journal, Step } from './journal.ts';
import { type Asker, type Refusal, type SignedOut, type Unreachable, ask, query, unreachable } from './request.ts';
import { type OffReason, refused } from './verdict.ts';
import { pause } from './world.ts';

/** New tokens that may be refused in a row. */
export const MOST_RENEWALS = 2;
/** How long one poll waits at the server for news, in s. Its limit is 30. */
const WAIT_S = 20;
/** An answer that takes longer than its wait and this is given up. In ms. */
const SLACK_MS = 15_000;
/** Events of a page; the server's limit. */
const PAGE_EVENTS = 1_000;

/** What a poll came to. `news`: something was in it. */
export type Polled = { kind: 'page'; news: boolean } | Refusal | Unreachable | SignedOut;

interface Page {
  items: EventOf[];
  next?: number;
}

/**
 * Reads one page behind the journal's cursor, and waits for it where there is nothing yet. Never throws.
 *
 * @param onStep Hears of each step that was new.
 */
export async function poll(
  asker: Asker,
  journal: Journal,
  wait: boolean,
  signal: AbortSignal,
  onStep: (step: Step) => void,
): Promise<Polled> {
  const limited = limit(asker, (wait ? WAIT_S * 1_000 : 0) + SLACK_MS, signal);
  try {
    const { after, epoch } = journal.cursor;
    if (after === undefined) {
      const head = await readHead(asker, limited.signal);
      if ('kind' in head) return head;
      if (journal.cursor.after === undefined) journal.moveTo(head);
      return { kind: 'page', news: true };
    }
    const where = query(asker.filter, { after, epoch, limit: PAGE_EVENTS, wait: wait ? WAIT_S : undefined });
    const response = await ask(asker, `${asker.base}/api/v1/events?${where}`, {}, limited.signal);
    if (!(response instanceof Response)) return response;
    const page = (await response.json()) as Page;
    // Stopped meanwhile: the cursor may be in another history now.
    if (limited.signal.aborted) return unreachable('stopped');
    const steps = stepsOf(page, after);
    for (const step of steps) {
      if (limited.signal.aborted) break; // by a handler
      if (journal.take(step) === 'new') onStep(step);
    }
    return { kind: 'page', news: steps.length > 0 };
  } catch (error) {
    return unreachable(error);
  } finally {
    limited.done();
  }
}

/**
 * Does what is needed before the next poll, after one that brought no page: gets a new token, or waits.
 *
 * @param failed How many in a row, with this one.
 * @returns `gone`: the cursor means nothing any more; an object: there is no point in polling again.
 */
export async function recover(
  { auth, world }: Asker,
  polled: Exclude<Polled, { kind: 'page' }>,
  failed: number,
  signal: AbortSignal,
  onError: (error: unknown) => void,
): Promise<'again' | 'gone' | { reason: OffReason; detail: string }> {
  if (polled.kind === 'signed_out') return { reason: 'signed_out', detail: 'there is no token' };
  let floor_ms = 0;
  if (polled.kind === 'refused') {
    if (polled.status === 410) return 'gone';
    const what = refused(polled);
    if (what.next === 'stop') return what;
    if (what.next === 'renew') {
      const renewed = failed <= MOST_RENEWALS ? await auth.renew().catch(onError) : false;
      if (renewed === false) return { reason: 'signed_out', detail: polled.detail };
      if (renewed) return 'again';
    } else floor_ms = what.floor_ms;
  }
  await pause(world, backoff(failed, world.random(), floor_ms), signal);
  return 'again';
}

/** What a page says: its events, each behind the one before it, and that nothing else is for this reader up to `next`. */
function stepsOf({ items, next }: Page, from: number): Step[] {
  const steps: Step[] = items.map((event, index) => ({ after: items[index - 1]?.seq ?? from, seq: event.seq, event }));
  const last = items.at(-1)?.seq ?? from;
  if (next !== undefined && next > last) steps.push({ after: last, seq: next });
  return steps;
}

/** Where the log ends now, without any event of it. */
export async function readHead(asker: Asker, signal: AbortSignal): Promise<Cursor | Refusal | Unreachable | SignedOut> {
  const response = await ask(asker, `${asker.base}/api/v1/events?${query(asker.filter, { limit: 1 })}`, {}, signal);
  if (!(response instanceof Response)) return response;
  await response.body?.cancel();
  return cursorOf(response);
}

/** The position that an answer is true as of: load a list, then follow from here. */
export function cursorOf(response: Response): Cursor {
  const seq = response.headers.get('signalbox-seq');
  return { after: seq === null ? undefined : Number(seq), epoch: response.headers.get('signalbox-epoch') ?? undefined };
}

function limit(asker: Asker, limit_ms: number, outer: AbortSignal) {
  const ending = new AbortController();
  const stop = () => ending.abort();
  if (outer.aborted) stop();
  outer.addEventListener('abort', stop);
  const cancel = asker.world.after(limit_ms, stop);
  return {
    signal: ending.signal,
    done() {
      cancel();
      outer.removeEventListener('abort', stop);
    },
  };
}
