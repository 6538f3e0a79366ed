import { cursorOf, type EventOf } from '@signalbox/client';
import { accepted, useConnection, useSSE } from '@signalbox/client/react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useLocation } from '@tanstack/react-router';
import {
  type RefObject,
  type WheelEvent,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';

import { api, wordsOf } from '../../api.ts';
import { useMay } from '../../session/session.tsx';
import { useKeys } from '../../shell/keys.ts';
import { Button } from '../../widgets/button.tsx';
import { useNarrow } from '../../widgets/narrow.ts';
import { Loading } from '../../widgets/states.tsx';
import { nextFound, useFound } from './find.ts';
import { LineRow } from './line.tsx';
import { CHUNK_LINES, createLines, type Line, type Lines } from './lines.ts';
import { Toolbar } from './toolbar.tsx';

/** In px; the style sheet has the same. */
const LINE_PX = 24;
/** Lines beyond those that can be seen, so that they are here when one scrolls to them. */
const AHEAD_LINES = 100;
/** Scrolled nearer to the end than this, one reads the end. In px. */
const END_PX = 24;
/** Whoever may not be told of lines asks for them so often. In ms. */
const ASK_MS = 3000;
/** Behind every line: what lies before it is the end. */
const END = '9223372036854775807.0';

/** What a run prints: the newest first to be seen, any other by scrolling, searching, or its number in the address. */
export function Output({ id, isOver }: { id: string; isOver: boolean }) {
  const linked = Number(/^L(\d{1,9})$/.exec(useLocation().hash)?.[1] ?? 0) || undefined;
  const lines = useLines(id, linked, isOver);
  if (lines.total === undefined) {
    return (
      <section className="output" aria-label="Output">
        {lines.error ? <LinesFailed lines={lines} /> : <Loading lines={8} />}
      </section>
    );
  }
  return <Shown id={id} lines={lines} total={lines.total} linked={linked} isOver={isOver} />;
}

function LinesFailed({ lines }: { lines: Lines }) {
  return (
    <p className="output-failed" role="alert">
      Lines could not be loaded. {wordsOf(lines.error)} <Button onClick={lines.reset}>Try again</Button>
    </p>
  );
}

/** The lines of a run, kept current by events. */
function useLines(id: string, around: number | undefined, isOver: boolean): Lines {
  const connection = useConnection();
  const isTold = useMay('logs.read');
  const lines = useMemo(
    () =>
      createLines(async (from) => {
        const query = { limit: CHUNK_LINES, ...(from === 'end' ? { before: END } : { from }) };
        const params = { path: { execution: id }, query };
        const answer = await api.GET('/api/v1/executions/{execution}/lines', { params });
        const { items, total } = accepted(answer);
        return { items, total, seq: cursorOf(answer.response).after ?? 0 };
      }, around),
    // The address says where one begins; later it follows.
    [id],
  );
  useSSE('log.added', ({ seq, recorded_at, data }: EventOf<'log.added'>) => {
    if (data.execution !== id) return;
    // Others can add lines to a run, too, at any time that they say.
    if (data.source !== `execution/${id}`) return lines.reset();
    lines.added({ seq, count: data.count, lines: data.lines?.map((line, at) => lineOf(line, seq, at, recorded_at)) });
  });
  useEffect(() => connection.onReset(lines.reset), [connection, lines]);
  useEffect(() => {
    if (isTold || isOver) return;
    const timer = setInterval(lines.reset, ASK_MS);
    return () => clearInterval(timer);
  }, [isTold, isOver, lines]);
  useSyncExternalStore(lines.subscribe, () => lines.version);
  return lines;
}

type Told = NonNullable<EventOf<'log.added'>['data']['lines']>[number];

function lineOf({ message, fields }: Told, seq: number, at: number, recorded_at: string): Line {
  const { step = 0, attempt = 1, stream = 'stdout' } = fields as { step?: number; attempt?: number; stream?: string };
  return { id: `${seq}.${at + 1}`, number: 0, at: recorded_at, step, attempt, stream, text: message };
}

function Shown(props: { id: string; lines: Lines; total: number; linked: number | undefined; isOver: boolean }) {
  const { id, lines, total, linked, isOver } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const isNarrow = useNarrow();
  const [wrap, setWrap] = useState(isNarrow);
  const [words, setWords] = useState('');
  const [at, setAt] = useState<number>();
  const tail = useTail(scroller, lines, total, linked === undefined);
  // At the end one sees what is here: while much is printed, loading it takes longer than printing it.
  const count = tail.follows ? lines.newest : total;
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_PX,
    overscan: 20,
  });
  useEffect(() => virtual.measure(), [wrap, virtual]);
  const rows = virtual.getVirtualItems();
  const [first, last] = [rows[0]?.index ?? 0, rows[rows.length - 1]?.index ?? 0];
  useEffect(
    () => lines.want(Math.max(1, first + 1 - AHEAD_LINES), last + 1 + AHEAD_LINES),
    [lines, lines.version, first, last],
  );
  const found = useFound(id, words, isOver);
  const jump = useCallback(
    (number: number) => {
      tail.leave();
      virtual.scrollToIndex(number - 1, { align: 'center' });
    },
    [virtual, tail.leave],
  );
  useEffect(() => {
    if (linked !== undefined && linked <= total) jump(linked);
    // Once for each address: what is printed later does not move the page.
  }, [linked, jump]);
  const find = (by: 1 | -1) => {
    const next = nextFound(found.numbers, at ?? (by === 1 ? first : last + 2), by);
    if (next === undefined) return;
    setAt(next);
    jump(next);
  };
  // A new search goes to what it finds first from here on.
  const searched = useRef(words);
  useEffect(() => {
    if (searched.current === words || !found.isSuccess) return;
    searched.current = words;
    find(1);
  });
  useKeys({
    s: () => search.current?.focus(),
    G: tail.follow,
    ...(words ? { n: () => find(1), N: () => find(-1) } : {}),
  });
  const link = useCallback((number: number) => history.replaceState(history.state, '', `#L${number}`), []);
  return (
    <section className="output" aria-label="Output">
      <Toolbar
        ref={search}
        id={id}
        total={total}
        words={words}
        onWords={(next) => {
          setWords(next);
          setAt(undefined);
        }}
        found={found}
        at={at}
        find={find}
        wrap={wrap}
        onWrap={setWrap}
      />
      {lines.error !== undefined && <LinesFailed lines={lines} />}
      <div className="list">
        <div
          ref={scroller}
          className="lines"
          data-wrap={wrap || undefined}
          role="region"
          aria-label="Lines"
          tabIndex={0}
          onScroll={tail.scrolled}
          onWheel={tail.wheeled}
        >
          <div className="lines-all" style={{ height: virtual.getTotalSize() }}>
            {rows.map(({ index, start }) => (
              <LineRow
                key={index}
                number={index + 1}
                line={lines.get(index + 1)}
                start_px={start}
                words={words}
                linked={index + 1 === linked}
                found={index + 1 === at}
                measure={wrap ? virtual.measureElement : undefined}
                onLink={link}
              />
            ))}
          </div>
          {total === 0 && <p className="soft lines-none">{isOver ? 'It printed nothing.' : 'Nothing printed yet.'}</p>}
        </div>
        {!tail.follows && (
          <div className="pill-place pill-end">
            <button type="button" className="pill" onClick={tail.follow}>
              {tail.news > 0 ? `${tail.news.toLocaleString()} new lines` : 'To the newest'}
            </button>
          </div>
        )}
      </div>
    </section>
  );
}

/** Stays at the end while one reads there, and nowhere else. */
function useTail(scroller: RefObject<HTMLElement | null>, lines: Lines, total: number, from: boolean) {
  const [follows, setFollows] = useState(from);
  const lastTop = useRef(0);
  const seen = useRef(total);
  const isAtEnd = () => {
    const { scrollTop, scrollHeight, clientHeight } = scroller.current!;
    return scrollHeight - scrollTop - clientHeight < END_PX;
  };
  const isAtTop = () => scroller.current!.scrollTop === 0;
  useLayoutEffect(() => {
    if (!follows) return;
    scroller.current!.scrollTop = scroller.current!.scrollHeight;
    void lines.wantEnd();
  });
  const settle = () => {
    // Only upwards is it left: downwards the end may run ahead.
    if (scroller.current!.scrollTop < lastTop.current && !isAtEnd()) setFollows(false);
    else if (isAtEnd() && lines.newest >= total) setFollows(true);
    lastTop.current = scroller.current!.scrollTop;
  };
  // What was scrolled to has been loaded.
  useEffect(settle, [lines.version]);
  if (follows) seen.current = total;
  return {
    follows,
    /** Lines that came since one reads elsewhere. */
    news: total - seen.current,
    leave: useCallback(() => setFollows(false), []),
    follow: () => void lines.wantEnd().then(() => setFollows(true)),
    scrolled: settle,
    // Told before it has scrolled, so that what is printed at this moment does not take it back.
    wheeled: ({ deltaY }: WheelEvent) => deltaY < 0 && !isAtTop() && setFollows(false),
  };
}
