import type { EventOf } from '@signalbox/client';
import { accepted, useConnection, useSSE } from '@signalbox/client/react';
import { type InfiniteData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';

import { api } from '../../api.ts';
import { fits, type LogsFilter, mayFit, queryOf } from './filter.ts';
import { admitted, type Line, linesOf, type Stretch } from './lines.ts';

/** Lines of a page, and pages in memory: what is scrolled away is read again when it is scrolled back to. */
const PAGE_LINES = 200;
const MOST_PAGES = 8;
/** Lines kept while it is live: an open page must not grow for days. */
const MOST_LIVE = 1000;
/** Lines of a batch that are asked for at once, and batches whose turn is awaited. Beyond, the list is read anew. */
const BATCH_LINES = 1000;
const MOST_BATCHES = 8;
/** What arrives is gathered for so long: many small batches are one change of the list. In ms. */
const GATHER_MS = 250;

/** Where a page begins: behind a line, downwards as a rule. */
interface Start {
  behind?: string;
  upwards?: boolean;
}

type Pages = InfiniteData<Stretch, Start>;

/** Reads a page. */
async function read(filter: LogsFilter, { behind, upwards = false }: Start, min_seq: number, signal?: AbortSignal) {
  const query = {
    ...queryOf(filter, Date.now()),
    limit: PAGE_LINES,
    order: upwards ? ('at' as const) : ('-at' as const),
    ...(behind ? { behind } : { min_seq }),
  };
  const { items, next } = accepted(await api.GET('/api/v1/logs', { params: { query }, signal: signal ?? null }));
  const more = Boolean(next);
  return upwards
    ? { items: items.reverse(), newer: more, older: true }
    : { items, newer: behind !== undefined, older: more };
}

/** The lines of a search: read page by page both ways, and live where it shows the newest. */
export function useLogLines(filter: LogsFilter, isCalm: () => boolean, paused: boolean) {
  const queries = useQueryClient();
  const connection = useConnection();
  const key = ['logs', 'lines', filter];
  const seen = () => connection.cursor.after ?? 0;
  const list = useInfiniteQuery({
    queryKey: key,
    // Left and come back to, it begins with the newest again.
    gcTime: 0,
    maxPages: MOST_PAGES,
    initialPageParam: {} as Start,
    queryFn: ({ pageParam, signal }) => read(filter, pageParam, seen(), signal),
    getNextPageParam: ({ older, items }): Start | undefined =>
      older ? { behind: items[items.length - 1]!.id } : undefined,
    getPreviousPageParam: ({ newer, items }): Start | undefined =>
      newer && items[0] ? { behind: items[0].id, upwards: true } : undefined,
  });
  const pages = list.data?.pages;
  const lines = useMemo(() => pages?.flatMap(({ items }) => items) ?? [], [pages]);
  const put = (page: Stretch) => queries.setQueryData<Pages>(key, { pages: [page], pageParams: [{}] });
  const live = useArrivals(filter, {
    isFree: () => list.data !== undefined && !paused && isCalm(),
    admit: (arrived) => {
      const all = queries.getQueryData<Pages>(key)?.pages;
      const [first, last] = [all?.[0], all?.[all.length - 1]];
      if (!all || !first || !last || first.newer) return false;
      const items = all.flatMap((page) => page.items);
      put(admitted({ items, newer: false, older: last.older }, arrived, MOST_LIVE));
      return true;
    },
    readNewest: async () => void put(await read(filter, {}, seen())),
  });
  return { ...list, ...live, lines };
}

/** Follows `log.added`, and lets what fits wait until the list may change. */
function useArrivals(
  filter: LogsFilter,
  list: { isFree: () => boolean; admit: (arrived: Line[]) => boolean; readNewest: () => Promise<void> },
) {
  const waiting = useRef<Line[]>([]);
  const batches = useRef<number[]>([]);
  // More came than waits: the list is read again instead.
  const missed = useRef(false);
  const busy = useRef({ batches: false, newest: false });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const fresh = useRef<ReadonlySet<string>>(new Set());
  const [count, setCount] = useState(0);
  const [more, setMore] = useState(false);
  useEffect(() => () => clearTimeout(timer.current), []);

  const admit = () => {
    if (busy.current.newest) return;
    const arrived = waiting.current;
    waiting.current = [];
    fresh.current = new Set(arrived.map(({ id }) => id));
    if (missed.current || !list.admit(arrived)) {
      missed.current = false;
      busy.current.newest = true;
      void list
        .readNewest()
        .catch(() => (missed.current = true))
        .finally(() => {
          busy.current.newest = false;
          if (missed.current || waiting.current.length > 0) gather();
        });
    }
    setCount(0);
    setMore(false);
  };
  const settle = () => {
    timer.current = undefined;
    if (waiting.current.length === 0 && !missed.current) return;
    if (newest.current.isFree()) newest.current.admit();
    else {
      setCount(waiting.current.length);
      setMore(missed.current);
    }
  };
  const gather = () => (timer.current ??= setTimeout(settle, GATHER_MS));
  const arrive = (lines: Line[]) => {
    waiting.current.push(...lines);
    if (waiting.current.length > MOST_LIVE) {
      waiting.current = waiting.current.slice(-MOST_LIVE);
      missed.current = true;
    }
    gather();
  };
  /** Batches that are too large for their event, one after the other. */
  const readBatches = async () => {
    if (busy.current.batches) return;
    busy.current.batches = true;
    for (let seq = batches.current.shift(); seq !== undefined; seq = batches.current.shift()) {
      const query = { ...queryOf(filter, Date.now()), seq, limit: BATCH_LINES, min_seq: seq };
      try {
        const { items, next } = accepted(await api.GET('/api/v1/logs', { params: { query } }));
        if (next) missed.current = true;
        arrive(items);
      } catch {
        missed.current = true;
        gather();
      }
    }
    busy.current.batches = false;
  };
  // A timer calls what the newest render knows.
  const newest = useRef({ admit, isFree: list.isFree });
  useEffect(() => {
    newest.current = { admit, isFree: list.isFree };
    if (waiting.current.length > 0) gather();
  });
  useSSE('log.added', (event: EventOf<'log.added'>) => {
    if (!mayFit(event.data, filter)) return;
    const lines = linesOf(event)?.filter((line) => fits(line, filter, Date.now()));
    if (lines?.length) arrive(lines);
    else if (!lines) {
      batches.current.push(event.seq);
      if (batches.current.length > MOST_BATCHES) {
        batches.current = [];
        missed.current = true;
        gather();
      } else void readBatches();
    }
  });
  return { waiting: count, more, admit, calm: gather, isFresh: (id: string) => fresh.current.has(id) };
}
