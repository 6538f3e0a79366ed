import type { EventOf } from '@signalbox/client';
import { useSSE } from '@signalbox/client/react';
import { type InfiniteData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useMemo, useRef, useState } from 'react';

import { useMay } from '../../session/session.tsx';
import { useTitle } from '../../shell/title.ts';
import { useRowKeys } from '../../shell/keys.ts';
import { Button } from '../../widgets/button.tsx';
import { useGlow } from '../../widgets/glow.ts';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { exactly } from '../../widgets/time.tsx';
import { whatOf } from '../../widgets/what.ts';
import { type Change, EventDialog } from './event.tsx';
import { exportLink, isOpenEnded, isShown, type LogFilter, readLogFilter } from './filter.ts';
import { LogFilters } from './filters.tsx';
import { type Event, type Found, search } from './query.ts';

/** Events that are asked for at once. */
const PAGE_EVENTS = 100;
/** Rows kept while it is live: an open page must not grow for days. */
const MOST_LIVE = 1000;

/** The log, newest first, for those who want to know what happened. */
export default function LogPage() {
  const search: Record<string, unknown> = useSearch({ strict: false });
  const filter = useMemo(() => readLogFilter(search), [search]);
  const { seq, ...narrowing } = filter;
  const navigate = useNavigate();
  const change: Change = (changes) => void navigate({ to: '/events', search: { ...filter, ...changes } as never });
  useTitle('Event log');
  return (
    <div className="list-page">
      <header className="page-head">
        <h1>Event log</h1>
        <span className="soft only-wide">Every change, in order. Nothing is ever changed or taken out.</span>
        <span className="grow" />
        <Export filter={filter} />
      </header>
      <LogFilters filter={filter} change={change} />
      <LogTable key={JSON.stringify(narrowing)} filter={narrowing} open={(seq) => change({ seq })} />
      {seq !== undefined && <EventDialog key={seq} seq={seq} change={change} />}
    </div>
  );
}

/** The log as a file, within the filter; for those who may take it home. The browser downloads it. */
function Export({ filter }: { filter: LogFilter }) {
  if (!useMay('events.export')) return null;
  return (
    <span className="export" role="group" aria-label="Download what the filter shows">
      <span className="soft only-wide">Download</span>
      {(['ndjson', 'csv'] as const).map((format) => (
        <a key={format} className="button" data-look="plain" href={exportLink(filter, format)} download>
          {format.toUpperCase()}
        </a>
      ))}
    </span>
  );
}

function LogTable({ filter, open }: { filter: LogFilter; open: (seq: number) => void }) {
  const queries = useQueryClient();
  const key = ['log', filter];
  const log = useInfiniteQuery({
    queryKey: key,
    // Left and come back to, it begins with the newest again.
    gcTime: 0,
    initialPageParam: undefined as number | undefined,
    queryFn: ({ pageParam, signal }) => search(filter, pageParam, PAGE_EVENTS, signal),
    getNextPageParam: ({ next }) => next,
  });
  const loadedUpTo = useRef<number>(undefined);
  const events = useMemo(() => log.data?.pages.flatMap(({ items }) => items) ?? [], [log.data]);
  loadedUpTo.current ??= events[0]?.seq;
  const list = useRef<HTMLDivElement>(null);
  const waiting = useRef<Event[]>([]);
  const [count, setCount] = useState(0);
  const isLive = isOpenEnded(filter);
  const admit = () => {
    const arrived = waiting.current.reverse();
    waiting.current = [];
    setCount(0);
    if (arrived.length === 0) return;
    queries.setQueryData<InfiniteData<Found>>(key, (data) => {
      const [first, ...rest] = data?.pages ?? [];
      if (!data || !first) return data;
      const top = first.items[0]?.seq ?? 0;
      const items = [...arrived.filter(({ seq }) => seq > top), ...first.items];
      // Cut off at the end, where it can be read again.
      const cut = items.length > MOST_LIVE ? items.slice(0, MOST_LIVE) : items;
      const isCut = cut.length < items.length;
      const next = isCut ? cut[cut.length - 1]!.seq - 1 : first.next;
      return { ...data, pages: [{ items: cut, next }, ...(isCut ? [] : rest)] };
    });
  };
  const isCalm = () => {
    const element = list.current;
    return !element || (element.scrollTop < 8 && !element.matches(':hover, :focus-within'));
  };
  useSSE('*', (event: EventOf) => {
    if (!isLive || !isShown(event, filter)) return;
    waiting.current.push(event);
    if (waiting.current.length > MOST_LIVE) waiting.current.shift();
    if (log.data && isCalm()) admit();
    else setCount(waiting.current.length);
  });
  // What came before the first answer did.
  useEffect(() => {
    if (log.data && waiting.current.length > 0 && isCalm()) admit();
  });
  useRowKeys(list, '.log-open');
  if (log.isError && !log.data) return <Failed error={log.error} again={() => void log.refetch()} />;
  if (log.isPending) return <Loading lines={12} />;
  if (events.length === 0) return <Empty title="No event fits">Take a filter away, or look at another time.</Empty>;
  return (
    <div className="list">
      <div className="pill-place" role="status">
        {count > 0 && (
          <button
            type="button"
            className="pill"
            onClick={() => {
              admit();
              list.current?.scrollTo({ top: 0 });
            }}
          >
            {count} new
          </button>
        )}
      </div>
      <div
        ref={list}
        className="table"
        tabIndex={-1}
        onPointerLeave={() => isCalm() && admit()}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          const isNear = scrollHeight - scrollTop - clientHeight < 600;
          if (isNear && log.hasNextPage && !log.isFetchingNextPage) void log.fetchNextPage();
        }}
      >
        <table className="log">
          <thead>
            <tr>
              <th scope="col">Number</th>
              <th scope="col">Recorded</th>
              <th scope="col">Type</th>
              <th scope="col">Who</th>
              <th scope="col">What</th>
            </tr>
          </thead>
          <tbody>
            {events.map((event) => (
              <LogRow key={event.seq} event={event} fresh={event.seq > (loadedUpTo.current ?? Infinity)} open={open} />
            ))}
          </tbody>
        </table>
        <p className="list-foot soft">
          {log.isFetchingNextPage && 'Reading on …'}
          {log.isFetchNextPageError && <Button onClick={() => void log.fetchNextPage()}>Try again</Button>}
          {!log.hasNextPage && 'Here the log begins.'}
          {log.hasNextPage && !log.isFetchingNextPage && !log.isFetchNextPageError && (
            <Button onClick={() => void log.fetchNextPage()}>Older</Button>
          )}
        </p>
      </div>
    </div>
  );
}

function LogRow({ event, fresh, open }: { event: Event; fresh: boolean; open: (seq: number) => void }) {
  const row = useGlow<HTMLTableRowElement>(event.seq, fresh);
  return (
    <tr ref={row} onClick={() => open(event.seq)}>
      <td className="mono">
        <button type="button" className="log-open" onClick={() => open(event.seq)}>
          {event.seq}
        </button>
      </td>
      <td className="soft" title={exactly(event.recorded_at)}>
        <time dateTime={event.recorded_at}>{clock(event.recorded_at)}</time>
      </td>
      <td className="mono">{event.type}</td>
      <td>{event.actor.name}</td>
      <td className="log-what" title={whatOf(event)}>
        {whatOf(event)}
      </td>
    </tr>
  );
}

const TIME = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const;
const DAY = { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;

/** The time of today; of other days the day too. */
function clock(at: string): string {
  const time = new Date(at);
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday ? time.toLocaleTimeString(undefined, TIME) : time.toLocaleString(undefined, DAY);
}
