/** One answer of the log, ascending: events behind `after`, and how far it has looked. */
export interface Found<Event> {
  items: Event[];
  /** Everything up to here was looked at. */
  next: number;
}

/** How the log is read: events behind a position, oldest first. */
export type Read<Event> = (after: number, limit: number) => Promise<Found<Event>>;

/** The first stretch that is looked at; each next one is twice as long, as where a filter finds little. */
const STRETCH = 200;
/** Longest stretch: one that a server reads in one page where every event fits is a tenth of it. */
const MOST_STRETCH = 1 << 20;
/** Events of one answer, the most there are. */
const ANSWER_EVENTS = 1000;

/** Events before a position, newest first, and where to go on: 0 when the beginning is reached. */
export interface Stretch<Event> {
  items: Event[];
  before: number;
}

/**
 * Reads backwards what can only be read forwards: a stretch before a position, longer and longer ones until at least
 * `wanted` events were found or the log begins. What is found is complete from the result's `before` on.
 */
export async function readBack<Event extends { seq: number }>(
  before: number,
  wanted: number,
  read: Read<Event>,
): Promise<Stretch<Event>> {
  let items: Event[] = [];
  let from = before;
  for (let stretch = STRETCH; from > 1 && items.length < wanted; stretch = Math.min(stretch * 2, MOST_STRETCH)) {
    const start = Math.max(1, from - stretch);
    items = [...(await between(start, from, read)), ...items];
    from = start;
  }
  return { items: items.reverse(), before: from > 1 ? from : 0 };
}

/** Events of `start` up to, but without, `end`. */
async function between<Event extends { seq: number }>(start: number, end: number, read: Read<Event>) {
  const all: Event[] = [];
  for (let after = start - 1; after < end - 1;) {
    const { items, next } = await read(after, Math.min(ANSWER_EVENTS, end - 1 - after));
    all.push(...items.filter(({ seq }) => seq < end));
    if (next <= after) break;
    after = next;
  }
  return all;
}
