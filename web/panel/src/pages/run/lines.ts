import type { Schemas } from '../../api.ts';

export type Line = Schemas['ExecutionLine'];

/** Lines that are loaded together: from a multiple of this on. */
export const CHUNK_LINES = 500;
/** Chunks that are kept, those looked at last: 20,000 lines, however many there are. */
const MOST_CHUNKS = 40;
/** Chunks that are loaded at once: who drags past a hundred of them wants the one where they stop. */
const MOST_LOADS = 2;
/** Batches that may wait for the first answer; if more do, it is asked for again. */
const MOST_EARLY = 1000;

/** Lines of an answer, how many there were in all, and as of which position in the log that is true. */
export interface Answer {
  items: Line[];
  total: number;
  seq: number;
}

/** How lines are loaded: from a number on, or the last ones. */
export type Load = (from: number | 'end') => Promise<Answer>;

/** What an event says of new lines. */
export interface Batch {
  seq: number;
  count: number;
  /** If they are few. */
  lines?: Line[] | undefined;
}

interface Chunk {
  /** By their place in it; some may be missing. */
  lines: (Line | undefined)[];
  /** What is missing as of this position cannot be had. */
  asOf: number;
  loading: boolean;
}

/** The lines of a run by their number, of which those are there that were looked at last. */
export interface Lines {
  /** How many there are; undefined until it is known. */
  readonly total: number | undefined;
  /** The newest that is here. While much is printed, it is behind `total`. */
  readonly newest: number;
  /** Changes whenever anything does. */
  readonly version: number;
  /** Why the last loading failed. */
  readonly error: unknown;
  get: (number: number) => Line | undefined;
  /** Loads what is missing of these. */
  want: (first: number, last: number) => void;
  /** Loads the newest, if they are not here. */
  wantEnd: () => Promise<void>;
  /** Takes what an event tells. */
  added: (batch: Batch) => void;
  /** Forgets everything and loads it again. */
  reset: () => void;
  subscribe: (listener: () => void) => () => void;
}

/** Begins with the last lines, or with those around a number. */
export function createLines(load: Load, around?: number): Lines {
  const listeners = new Set<() => void>();
  let chunks = new Map<number, Chunk>();
  let early: Batch[] = [];
  let total: number | undefined;
  let newest = 0;
  let asOf = 0;
  /** The last loading of the end: while it is under way, and as of what. */
  let end: { asOf: number; done: Promise<void> | undefined } = { asOf: -1, done: undefined };
  let version = 0;
  let error: unknown;
  let loads = 0;
  let life = 0;

  const changed = () => {
    version += 1;
    listeners.forEach((listener) => listener());
  };
  const chunkOf = (index: number): Chunk => {
    const chunk = chunks.get(index) ?? { lines: [], asOf: 0, loading: false };
    // Behind the others: it was looked at last.
    chunks.delete(index);
    chunks.set(index, chunk);
    for (const oldest of chunks.keys()) {
      if (chunks.size <= MOST_CHUNKS) break;
      chunks.delete(oldest);
    }
    return chunk;
  };
  const place = (lines: Line[]) => {
    for (const line of lines) {
      newest = Math.max(newest, line.number);
      chunkOf(Math.floor((line.number - 1) / CHUNK_LINES)).lines[(line.number - 1) % CHUNK_LINES] = line;
    }
  };
  const take = ({ items, total: all, seq }: Answer) => {
    place(items);
    error = undefined;
    if (total !== undefined && seq < asOf) return;
    total = all;
    asOf = seq;
    const waited = early;
    early = [];
    waited.forEach(tell);
  };
  /** A batch that no answer has counted yet. */
  const tell = ({ seq, count, lines }: Batch) => {
    if (total === undefined || seq <= asOf) return;
    const before = total;
    total += count;
    asOf = seq;
    if (lines) place(lines.map((line, at) => ({ ...line, number: before + 1 + at })));
  };
  const fetch = async (from: number | 'end', done: () => void = () => {}) => {
    const mine = life;
    try {
      const answer = await load(from);
      if (mine !== life) return;
      done();
      take(answer);
    } catch (failure) {
      if (mine !== life) return;
      done();
      error = failure;
    }
    changed();
  };
  const begin = () => {
    life += 1;
    chunks = new Map();
    early = [];
    total = undefined;
    newest = 0;
    asOf = 0;
    end = { asOf: -1, done: undefined };
    error = undefined;
    loads = 0;
    changed();
    void fetch(around === undefined ? 'end' : startOf(around));
  };

  const lines: Lines = {
    get total() {
      return total;
    },
    get newest() {
      return newest;
    },
    get version() {
      return version;
    },
    get error() {
      return error;
    },
    get: (number) => chunks.get(Math.floor((number - 1) / CHUNK_LINES))?.lines[(number - 1) % CHUNK_LINES],
    want(first, last) {
      if (total === undefined || error !== undefined) return;
      const end = Math.min(last, total);
      for (let start = startOf(first); start <= end; start += CHUNK_LINES) {
        const chunk = chunkOf(Math.floor((start - 1) / CHUNK_LINES));
        // What is not loaded now is wanted again when another load has ended.
        if (chunk.loading || chunk.asOf >= asOf || loads >= MOST_LOADS) continue;
        if (!isMissing(chunk, Math.max(first, start), Math.min(end, start + CHUNK_LINES - 1))) continue;
        chunk.loading = true;
        loads += 1;
        const wanted = asOf;
        void fetch(start, () => {
          chunk.loading = false;
          loads -= 1;
          chunk.asOf = Math.max(chunk.asOf, wanted);
        });
      }
    },
    wantEnd() {
      if (total === undefined || error !== undefined || newest >= total) return Promise.resolve();
      if (end.done) return end.done;
      if (end.asOf >= asOf) return Promise.resolve(); // it cannot be had
      const mine = { asOf, done: undefined as Promise<void> | undefined };
      mine.done = fetch('end', () => (mine.done = undefined));
      end = mine;
      return mine.done;
    },
    added(batch) {
      if (total !== undefined) {
        // The connection is there: what failed is worth another try.
        error = undefined;
        tell(batch);
        return changed();
      }
      early.push(batch);
      if (early.length > MOST_EARLY) begin();
    },
    reset: begin,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  begin();
  return lines;
}

/** The number of the first line of a line's chunk. */
function startOf(number: number): number {
  return Math.floor((number - 1) / CHUNK_LINES) * CHUNK_LINES + 1;
}

function isMissing({ lines }: Chunk, first: number, last: number): boolean {
  for (let number = first; number <= last; number += 1) {
    if (!lines[(number - 1) % CHUNK_LINES]) return true;
  }
  return false;
}
