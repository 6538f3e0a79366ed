import { backoff } from './backoff.ts';
import type { EventOf } from './event.ts';
import { type FollowOptions, type Reset, follow } from './follow.ts';
import type { Step } from './journal.ts';
import { poll, readHead, recover } from './poll.ts';
import type { Status } from './status.ts';
import { pause } from './world.ts';

/** A leader that hears its server says so at most so often. In ms. */
const PULSE_MS = 10_000;
/** Silence after which a leader is asked whether it is there. In ms. */
const DOUBT_MS = 20_000;
/** How long it has for an answer: a tab in the background answers at once, a frozen one not at all. In ms. */
const ANSWER_MS = 3_000;
/** Whoever takes a leader's place waits up to so long first, so that not all do at once. In ms. */
const SPREAD_MS = 2_000;
/** How often a follower looks. In ms. */
const LOOK_MS = 5_000;

/** What tabs tell each other. Steps are true whoever says them, so that two leaders at once do no harm. */
type Letter =
  | { kind: 'step'; epoch: string | undefined; step: Step }
  | { kind: 'early'; event: EventOf }
  | { kind: 'reset'; reset: Reset }
  | { kind: 'status'; status: Status }
  /** Where is the leader, and how is it? */
  | { kind: 'hello' };

/** How tabs share: for `connect`. */
export type Share = (place: unknown, options: FollowOptions) => { stop(): void } | undefined;

/**
 * One stream for all tabs of this browser that are of the same user, server and filter: `connect({ share:
 * oneStream({ user }) })`. Name the user: who shares a stream shares its rights. Where the browser lacks Web Locks
 * (pages without HTTPS, but for localhost), each tab has a stream of its own.
 *
 * The holder of a Web Lock leads: when its tab closes or crashes, the browser gives the lock to the next one. A tab
 * about to be frozen lets go of it, and from one that does not answer it is taken. Each tab keeps a cursor of its
 * own: a new leader resumes behind what it knows itself, and whoever missed a step reads it from the log.
 */
export function oneStream({ user }: { user: string }): Share {
  return (place, options) => {
    if (!globalThis.navigator?.locks || !globalThis.BroadcastChannel) return undefined;
    const tab = new Tab(`signalbox ${JSON.stringify([user, place])}`, options);
    void tab.run();
    return tab;
  };
}

class Tab {
  readonly #name: string;
  readonly #options: FollowOptions;
  readonly #channel: BroadcastChannel;
  /** Ends everything. */
  readonly #ending = new AbortController();
  /** Withdraws from the queue for the lock. */
  #queue = new AbortController();
  /** Lets go of the lock; undefined while another tab leads. */
  #release: (() => void) | undefined;
  #takeOver = false;
  #frozen: Promise<void> | undefined;
  #pulsedAt = 0;
  #heardAt = 0;
  #loaded = false;
  #reading = false;
  #missing = false;

  constructor(name: string, options: FollowOptions) {
    this.#name = name;
    this.#options = options;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }: MessageEvent<Letter>) => this.#receive(data);
    options.status.set({ leads: false });
    options.status.listeners.add((status) => this.#release && this.#post({ kind: 'status', status }));
  }

  stop(): void {
    this.#release?.();
    this.#release = undefined;
    this.#ending.abort();
    this.#queue.abort();
    this.#channel.close();
  }

  async run(): Promise<void> {
    const quiet = this.#options.asker.world.onNudge((nudge) => nudge !== 'offline' && void this.#look());
    this.#watchFreezing();
    await this.#load('first');
    void this.#watch();
    while (!this.#ending.signal.aborted) {
      await this.#frozen;
      this.#heard();
      this.#queue = new AbortController();
      const way = this.#takeOver ? { steal: true } : { signal: this.#queue.signal };
      this.#takeOver = false;
      // It rejects when this tab leaves the queue, or when another one takes the lock away.
      await navigator.locks.request(this.#name, way, () => this.#lead()).catch(() => {});
      this.#release?.();
    }
    quiet();
  }

  // ---- Leading

  /** Lasts as long as this tab leads. */
  #lead(): Promise<void> {
    if (this.#ending.signal.aborted) return Promise.resolve();
    const { status, journal } = this.#options;
    return new Promise((resolve) => {
      const following = follow({
        ...this.#options,
        loaded: this.#loaded,
        onStep: (step) => this.#post({ kind: 'step', epoch: journal.cursor.epoch, step }),
        onEarly: (event) => {
          this.#options.onEarly(event);
          this.#post({ kind: 'early', event });
        },
        onReset: (reset) => {
          this.#options.onReset(reset);
          this.#post({ kind: 'reset', reset });
        },
        onHeard: () => {
          if (this.#options.asker.world.now() - this.#pulsedAt >= PULSE_MS) this.#pulse();
        },
      });
      this.#release = () => {
        this.#release = undefined;
        following.stop();
        status.set({ leads: false, state: 'connecting', reason: undefined, retryAt: undefined });
        resolve();
      };
      status.set({ leads: true });
      this.#pulse();
      // It ended by itself: for good.
      void following.done.then(() => status.value.state === 'off' && this.stop());
    });
  }

  /** Says where everything was told up to. Whoever is not there yet has missed something. */
  #pulse(): void {
    const { journal, status, asker } = this.#options;
    this.#pulsedAt = asker.world.now();
    const { after, epoch } = journal.cursor;
    if (after !== undefined) this.#post({ kind: 'step', epoch, step: { after, seq: after } });
    this.#post({ kind: 'status', status: status.value });
  }

  #post(letter: Letter): void {
    if (!this.#ending.signal.aborted) this.#channel.postMessage(letter);
  }

  /** A frozen tab hears nothing and tells nobody: it lets go first, and is a follower when it wakes. */
  #watchFreezing(): void {
    const signal = this.#ending.signal;
    let thaw = () => {};
    const freeze = () => {
      this.#frozen ??= new Promise((resolve) => (thaw = resolve));
      this.#release?.();
    };
    const wake = () => {
      this.#frozen = undefined;
      thaw();
    };
    globalThis.document?.addEventListener('freeze', freeze, { signal });
    globalThis.document?.addEventListener('resume', wake, { signal });
    globalThis.addEventListener?.('pagehide', freeze, { signal });
    globalThis.addEventListener?.('pageshow', wake, { signal });
  }

  // ---- Following the leader

  #receive(letter: Letter): void {
    if (letter.kind === 'hello') {
      if (this.#release) this.#pulse();
      return;
    }
    this.#heard();
    if (!this.#loaded) return;
    const { journal, onEarly, status } = this.#options;
    switch (letter.kind) {
      case 'step':
        return this.#step(letter.step, letter.epoch);
      case 'early':
        if (typeof letter.event.seq !== 'number' || journal.early(letter.event.seq)) onEarly(letter.event);
        return;
      case 'reset':
        if (letter.reset.reason !== 'epoch' || letter.reset.cursor.epoch !== journal.cursor.epoch)
          void this.#reset(letter.reset);
        return;
      case 'status': {
        // An end is that of all tabs of this user, also of one that has just begun to lead. Nobody tells of `close`.
        const { state } = letter.status;
        if (this.#release && state !== 'off') return;
        status.set({ ...letter.status, leads: false });
        if (state === 'off') this.stop();
      }
    }
  }

  #heard(): void {
    this.#heardAt = this.#options.asker.world.now();
  }

  #step(step: Step, epoch: string | undefined): void {
    const { journal } = this.#options;
    if (journal.cursor.epoch === undefined && epoch !== undefined) journal.knowEpoch(epoch);
    const elsewhere = epoch !== undefined && epoch !== journal.cursor.epoch;
    if (elsewhere || journal.take(step) === 'gap') void this.#readMissing();
  }

  /** Reads what was missed from the log. A leader's own stream brings it. */
  async #readMissing(): Promise<void> {
    this.#missing = true;
    if (this.#reading) return;
    const { asker, journal, onError } = this.#options;
    const { signal } = this.#ending;
    this.#reading = true;
    for (let failed = 0; this.#missing && !this.#release && !signal.aborted;) {
      this.#missing = false; // until another gap shows
      const polled = await poll(asker, journal, false, signal, () => {});
      if (polled.kind === 'page') {
        failed = 0;
        this.#missing ||= polled.news;
        continue;
      }
      this.#missing = true;
      failed += 1;
      const next = await recover(asker, polled, failed, signal, onError);
      if (next === 'gone') await this.#gone();
      else if (next !== 'again') this.#off(next);
    }
    this.#reading = false;
  }

  async #gone(): Promise<void> {
    const cursor = await readHead(this.#options.asker, this.#ending.signal);
    if (!('kind' in cursor)) await this.#reset({ reason: 'gone', cursor });
  }

  #off(why: { reason: Status['reason']; detail: string }): void {
    this.#options.status.set({ state: 'off', ...why, retryAt: undefined });
    this.stop();
  }

  async #reset(reset: Reset): Promise<void> {
    this.#options.journal.moveTo(reset.cursor);
    this.#options.onReset(reset);
    // A leader's own follower loads again by itself.
    if (!this.#release) await this.#load('reset');
  }

  async #load(why: 'first' | 'reset'): Promise<void> {
    const { load, journal, onError, asker } = this.#options;
    this.#loaded = false;
    for (let failed = 0; !this.#loaded && !this.#ending.signal.aborted;) {
      try {
        const cursor = await load?.(why);
        if (cursor) journal.moveTo(cursor);
        this.#loaded = true;
      } catch (error) {
        onError(error);
        failed += 1;
        await pause(asker.world, backoff(failed, asker.world.random()), this.#ending.signal);
      }
    }
    this.#post({ kind: 'hello' });
  }

  // ---- A leader that is not there any more

  async #watch(): Promise<void> {
    const { world } = this.#options.asker;
    while (!this.#ending.signal.aborted) {
      await this.#look();
      await pause(world, LOOK_MS, this.#ending.signal);
    }
  }

  async #look(): Promise<void> {
    const { world } = this.#options.asker;
    const silent = () => !this.#release && world.now() - this.#heardAt >= DOUBT_MS;
    if (!silent() || this.#frozen) return;
    this.#post({ kind: 'hello' });
    await pause(world, ANSWER_MS + SPREAD_MS * world.random(), this.#ending.signal);
    if (!silent() || this.#ending.signal.aborted) return;
    this.#takeOver = true;
    this.#queue.abort();
  }
}
