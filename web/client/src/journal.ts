import type { EventOf } from './event.ts';

/** A place in one history of the log. */
export interface Cursor {
  /** Everything up to here is known; undefined: begin with what happens from now on. */
  after?: number | undefined;
  /** The history that the place belongs to. */
  epoch?: string | undefined;
}

/**
 * A fact about the log, true whoever says it: between `after` and `seq`, the only event for this reader is `event`,
 * or none. Steps may come twice, from two sources at once, or late.
 */
export interface Step {
  after: number;
  seq: number;
  event?: EventOf | undefined;
}

/** Critical events that were told early, at most so many; further ones are told in their turn only. */
const MOST_EARLY = 10_000;

/** What one reader knows: where it is, and what it was told ahead of its turn. */
export interface Journal {
  /** Where it is now. */
  readonly cursor: Readonly<Cursor>;
  /** Begins elsewhere, or in another history. */
  moveTo(cursor: Cursor): void;
  /** Learns which history it is in. */
  knowEpoch(epoch: string): void;
  /** Takes a step. `gap`: something before it is missing, and nothing was taken. */
  take(step: Step): 'new' | 'known' | 'gap';
  /** Takes an event ahead of its turn. True when it is to be told now. */
  early(seq: number): boolean;
}

/** `told` hears each event once, in order, apart from those that come early. */
export function createJournal(from: Cursor, told: (event: EventOf) => void): Journal {
  let cursor: Cursor = { ...from };
  const early = new Set<number>();
  return {
    get cursor() {
      return cursor;
    },
    moveTo(next) {
      cursor = { ...next };
      early.clear();
    },
    knowEpoch(epoch) {
      cursor = { ...cursor, epoch };
    },
    take({ after, seq, event }) {
      const here = cursor.after ?? after;
      if (seq <= here && cursor.after !== undefined) return 'known';
      if (after > here) return 'gap';
      cursor = { ...cursor, after: seq };
      const toldBefore = event !== undefined && early.has(event.seq);
      for (const one of early) if (one <= seq) early.delete(one);
      if (event && !toldBefore) told(event);
      return 'new';
    },
    early(seq) {
      if (seq <= (cursor.after ?? 0) || early.has(seq) || early.size >= MOST_EARLY) return false;
      early.add(seq);
      return true;
    },
  };
}
