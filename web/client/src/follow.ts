import { backoff, untilProbe } from './backoff.ts';
import type { EventOf } from './event.ts';
import type { Frame } from './frames.ts';
import type { Cursor, Journal, Step } from './journal.ts';
import { MOST_RENEWALS, poll, readHead, recover } from './poll.ts';
import type { Asker } from './request.ts';
import type { Status, StatusBox } from './status.ts';
import { type Attempt, type End, openStream } from './stream.ts';
import { type OffReason, verdict } from './verdict.ts';
import { pause } from './world.ts';

/** So long a stream must have been live before earlier failures are forgotten. In ms. */
export const HEALTHY_MS = 10_000;
/** Streams whose token expires sooner than this are not opened again at once. In ms. */
const BRIEF_MS = 1_000;
/** Polls that find nothing at once, instead of waiting, are not repeated sooner. In ms. */
const LEAST_POLL_MS = 1_000;

/** Why the state that an application shows has to be loaded anew. */
export interface Reset {
  /** `epoch`: another history, as after a restore; `future`: the log is shorter than it was; `gone`: either. */
  reason: 'epoch' | 'future' | 'gone' | (string & {});
  /** Where the connection goes on. */
  cursor: Cursor;
}

/** What following needs and whom it tells. */
export interface FollowOptions {
  asker: Asker;
  journal: Journal;
  status: StatusBox;
  ticket: (() => Promise<string>) | undefined;
  /** Failures after which it polls; `Infinity`: never. */
  pollAfter: number;
  /** Loads the application's state and says as of where; at first and after a reset. */
  load: ((why: 'first' | 'reset') => Promise<Cursor>) | undefined;
  /** Already loaded, by an earlier follower with the same journal. */
  loaded: boolean;
  onStep(step: Step): void;
  /** An event ahead of its turn, or one that is never stored. */
  onEarly(event: EventOf): void;
  onReset(reset: Reset): void;
  onError(error: unknown): void;
  /** Bytes came; at least every 15 s while live. */
  onHeard(): void;
}

/** Following under way. */
export interface Following {
  stop(): void;
  /** Ends with `stop`, or for good. */
  done: Promise<void>;
}

/**
 * Follows the log behind the journal's cursor, on whichever way works: the stream, or polling on the same cursor
 * while the stream is probed. Both may run at once; the journal takes each event once.
 */
export function follow(options: FollowOptions): Following {
  const follower = new Follower(options);
  return { stop: () => follower.stop(), done: follower.run() };
}

class Follower {
  readonly #options: FollowOptions;
  /** Ends everything. */
  readonly #ending = new AbortController();
  /** Ends what is under way, so that the loop looks again. */
  #round = new AbortController();
  #attempt: Attempt | undefined;
  #phase: 'closed' | 'open' | 'live' = 'closed';
  #liveAt = 0;
  #resumed = false;
  /** Attempts since the last healthy stream: the wait grows with them. */
  #attempts = 0;
  /** Those of them that speak against streams as such. */
  #failures = 0;
  #renewals = 0;
  #polling: AbortController | undefined;
  #pollWorks = false;
  /** The machine says that it is offline, and nothing came since that would prove it wrong. */
  #offline = false;
  #mustLoad: 'first' | 'reset' | undefined;
  #hurry = () => {};

  constructor(options: FollowOptions) {
    this.#options = options;
    if (options.load && !options.loaded) this.#mustLoad = 'first';
  }

  stop(): void {
    this.#ending.abort();
    this.#round.abort();
    this.#polling?.abort();
  }

  async run(): Promise<void> {
    const { world } = this.#options.asker;
    const quiet = world.onNudge((nudge) => this.#nudged(nudge));
    this.#offline = !world.isOnline();
    this.#show();
    while (!this.#ending.signal.aborted) {
      this.#round = new AbortController();
      if (this.#mustLoad) await this.#load(this.#mustLoad);
      else await this.#judge(await this.#stream());
    }
    quiet();
  }

  #nudged(nudge: 'woke' | 'online' | 'offline'): void {
    this.#offline = nudge === 'offline' || (nudge === 'woke' && !this.#options.asker.world.isOnline());
    this.#attempt?.doubt();
    if (!this.#offline) this.#hurry();
    this.#show();
  }

  #proveOnline(): void {
    if (!this.#offline) return;
    this.#offline = false;
    this.#show();
  }

  // ---- The application's state

  async #load(why: 'first' | 'reset'): Promise<void> {
    try {
      const cursor = await this.#options.load?.(why);
      if (this.#ending.signal.aborted) return;
      if (cursor) this.#options.journal.moveTo(cursor);
      this.#mustLoad = undefined;
      this.#resumed = false;
    } catch (error) {
      this.#options.onError(error);
      await this.#wait({ reason: 'load_failed', floor_ms: 0 });
    }
  }

  /** The cursor means nothing any more. What is under way ends where there is something to load. */
  #reset(reason: string, cursor: Cursor): void {
    this.#options.journal.moveTo(cursor);
    this.#options.onReset({ reason, cursor });
    if (!this.#options.load) return;
    this.#mustLoad = 'reset';
    this.#stopPolling();
    this.#round.abort();
  }

  // ---- The stream

  async #stream(): Promise<{ end: End; useful: boolean }> {
    const { asker, journal, ticket, onStep, onHeard } = this.#options;
    let at = journal.cursor.after;
    let useful = false;
    const move = (seq: number, event?: EventOf) => {
      useful = true;
      const step = { after: at ?? seq - 1, seq, event };
      at = seq;
      if (journal.take(step) === 'new') onStep(step);
    };
    this.#attempt = openStream(
      asker,
      journal.cursor,
      { ticket, resumed: this.#resumed, signal: this.#round.signal },
      {
        opened: () => {
          this.#phase = 'open';
          this.#resumed = true;
          this.#show({ retryAt: undefined });
        },
        heard: () => {
          this.#proveOnline();
          onHeard();
        },
        bookmark: (seq) => move(seq),
        frame: (frame) => {
          if (this.#round.signal.aborted) return; // reset, or stopped by a handler
          const seq = this.#frame(frame, move);
          if (seq !== undefined) at = seq;
        },
      },
    );
    const end = await this.#attempt.ended;
    if (this.#phase === 'live' && asker.world.now() - this.#liveAt >= HEALTHY_MS) this.#healthy();
    this.#attempt = undefined;
    this.#phase = 'closed';
    if (!this.#ending.signal.aborted) this.#show();
    return { end, useful };
  }

  #healthy(): void {
    this.#attempts = this.#failures = 0;
  }

  /** Takes one frame. Gives the stream's new position where the frame sets one without a step. */
  #frame(frame: Frame, move: (seq: number, event?: EventOf) => void): number | undefined {
    const said = this.#parse(frame);
    switch (frame.event) {
      case 'ready':
        this.#ready(said?.epoch, frame.id, move);
        return;
      case 'reset': {
        const cursor = { after: frame.id, epoch: typeof said?.epoch === 'string' ? said.epoch : undefined };
        this.#reset(String(said?.reason), cursor);
        return frame.id;
      }
      case 'rights':
        if (Array.isArray(said?.permissions)) this.#show({ scope: said.permissions.join(' ') });
        return;
      default:
        if (said?.type === frame.event) this.#event(frame, said as unknown as EventOf, move);
        else if (frame.id !== undefined) move(frame.id); // not known here; its place is
    }
    return;
  }

  #event(frame: Frame, event: EventOf, move: (seq: number, event?: EventOf) => void): void {
    if (frame.id !== undefined) return move(frame.id, event);
    // Ahead of its turn, or never stored: then it has no place to be known by.
    if (typeof event.seq !== 'number' || this.#options.journal.early(event.seq)) this.#options.onEarly(event);
  }

  #ready(epoch: unknown, seq: number | undefined, move: (seq: number) => void): void {
    const { journal, asker } = this.#options;
    if (seq !== undefined) move(seq);
    if (typeof epoch === 'string') journal.knowEpoch(epoch);
    this.#liveAt = asker.world.now();
    this.#renewals = 0;
    this.#phase = 'live';
    this.#stopPolling();
    this.#show({ reason: undefined, detail: undefined });
  }

  #parse({ id, event, data }: Frame): Record<string, unknown> | undefined {
    try {
      const said: unknown = JSON.parse(data);
      return typeof said === 'object' && said !== null ? (said as Record<string, unknown>) : undefined;
    } catch (error) {
      // Asked for again it would be the same: it is reported and passed over.
      this.#options.onError(new Error(`the frame ${event} ${id ?? ''} cannot be read`, { cause: error }));
      return undefined;
    }
  }

  // ---- What comes next

  async #judge({ end, useful }: { end: End; useful: boolean }): Promise<void> {
    if (this.#ending.signal.aborted || this.#mustLoad) return;
    const what = verdict(end, useful);
    if (useful && what.next !== 'retry') this.#attempts = 0;
    const detail = 'detail' in end ? end.detail : undefined;
    switch (what.next) {
      case 'stop':
        return this.#off(what.reason, what.detail);
      case 'renew':
        return this.#renew();
      case 'poll':
        this.#startPolling();
        return this.#wait({ ...what, detail });
      case 'retry':
        if (what.counts) this.#failures += 1;
        if (this.#failures >= this.#options.pollAfter) this.#startPolling();
        return this.#wait({ ...what, detail });
    }
  }

  #off(reason: OffReason, detail: string): void {
    this.#phase = 'closed';
    this.#options.status.set({ state: 'off', reason, detail, retryAt: undefined });
    this.stop();
  }

  /** A third refusal in a row means that new tokens do not help. */
  async #renew(): Promise<void> {
    this.#renewals += 1;
    if (this.#renewals > MOST_RENEWALS) return this.#off('signed_out', 'a new token was refused too');
    this.#show({ reason: 'token_expired' });
    try {
      if (!(await this.#options.asker.auth.renew())) return this.#off('signed_out', 'the sign-in is over');
      const { world } = this.#options.asker;
      if (world.now() - this.#liveAt < BRIEF_MS) await this.#wait({ reason: 'token_expired', floor_ms: 0 });
    } catch (error) {
      this.#options.onError(error);
      this.#renewals -= 1;
      await this.#wait({ reason: 'renewal_failed', floor_ms: 0 });
    }
  }

  /** Waits until the next attempt is due. A nudge shortens the wait, down to the floor that the server asked for. */
  async #wait(why: { reason: string; floor_ms: number; detail?: string | undefined }): Promise<void> {
    const { world } = this.#options.asker;
    this.#attempts += 1;
    const wait_ms = this.#polling
      ? untilProbe(world.random(), why.floor_ms)
      : backoff(this.#attempts, world.random(), why.floor_ms);
    const notBefore = world.now() + why.floor_ms;
    this.#show({ reason: why.reason, detail: why.detail, retryAt: world.now() + wait_ms });
    const hurried = new AbortController();
    this.#hurry = () => hurried.abort();
    const signal = AbortSignal.any([hurried.signal, this.#round.signal]);
    await pause(world, wait_ms, signal);
    this.#hurry = () => {};
    await pause(world, Math.max(0, notBefore - world.now()), this.#round.signal);
    this.#show({ retryAt: undefined });
  }

  // ---- Polling

  #startPolling(): void {
    if (this.#polling || this.#options.pollAfter === Infinity || this.#ending.signal.aborted) return;
    this.#polling = new AbortController();
    void this.#poll(this.#polling.signal);
  }

  #stopPolling(): void {
    this.#polling?.abort();
    this.#polling = undefined;
    this.#pollWorks = false;
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { asker, journal, onStep, onError } = this.#options;
    const { world } = asker;
    for (let failed = 0; !signal.aborted;) {
      const began = world.now();
      const polled = await poll(asker, journal, this.#pollWorks, signal, onStep);
      if (signal.aborted) return;
      if (polled.kind === 'page') {
        failed = 0;
        this.#pollWorks = true;
        this.#proveOnline();
        this.#show();
        if (!polled.news && world.now() - began < LEAST_POLL_MS) await pause(world, LEAST_POLL_MS, signal);
        continue;
      }
      failed += 1;
      this.#pollWorks = false;
      this.#show();
      const next = await recover(asker, polled, failed, signal, onError);
      if (signal.aborted) return;
      if (next === 'gone') await this.#gone(signal);
      else if (next !== 'again') this.#off(next.reason, next.detail);
    }
  }

  async #gone(signal: AbortSignal): Promise<void> {
    const { asker } = this.#options;
    const head = await readHead(asker, signal);
    if (signal.aborted) return;
    if ('kind' in head) return pause(asker.world, backoff(1, asker.world.random()), signal);
    this.#reset('gone', head);
  }

  // ---- What is shown

  #show(change: Partial<Pick<Status, 'reason' | 'detail' | 'retryAt' | 'scope'>> = {}): void {
    const state = this.#offline
      ? 'offline'
      : this.#phase === 'live'
        ? 'live'
        : this.#polling && this.#pollWorks
          ? 'polling'
          : this.#phase === 'open'
            ? 'replaying'
            : 'connecting';
    this.#options.status.set({ ...change, state });
  }
}
