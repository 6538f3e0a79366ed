import { useVirtualizer } from '@tanstack/react-virtual';
import { type Ref, useEffect, useImperativeHandle, useLayoutEffect, useRef } from 'react';

import { Button } from '../../widgets/button.tsx';
import { useNarrow } from '../../widgets/narrow.ts';
import type { LogsSearch } from './filter.ts';
import type { Line } from './lines.ts';
import type { useLogLines } from './list.ts';
import { Row } from './row.tsx';
import { zone } from './times.ts';

/** In px; the style sheet has the same. */
const ROW_PX = 26;
const NARROW_ROW_PX = 50;
/** A list scrolled less than this is at its top. In px. */
const TOP_PX = 8;
/** Rows before the end of what is loaded at which more is read. */
const NEAR_ROWS = 40;

export interface TableHandle {
  /** Whether rows may move: at the top, without pointer or focus on them. */
  isCalm: () => boolean;
  toTop: () => void;
  /** Moves the focus by so many rows. */
  step: (by: number) => void;
}

/** The lines, of which only those that can be seen are in the page. */
export function Table(props: { ref: Ref<TableHandle>; list: ReturnType<typeof useLogLines>; search: LogsSearch }) {
  const { ref, list, search } = props;
  const { lines, hasNextPage, hasPreviousPage, isFetching, fetchNextPage, fetchPreviousPage } = list;
  const scroller = useRef<HTMLDivElement>(null);
  const rowPx = useNarrow() ? NARROW_ROW_PX : ROW_PX;
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowPx,
    getItemKey: (index) => lines[index]!.id,
    overscan: 12,
  });
  useEffect(() => virtual.measure(), [rowPx, virtual]);
  const scrolled = useHeldStill(scroller, lines, rowPx, hasPreviousPage);
  const rows = virtual.getVirtualItems();
  const [firstShown, lastShown] = [rows[0]?.index ?? 0, rows[rows.length - 1]?.index ?? 0];
  const isStuck = list.isFetchNextPageError || list.isFetchPreviousPageError;
  useEffect(() => {
    if (isFetching || isStuck) return;
    if (hasNextPage && lastShown > lines.length - NEAR_ROWS) void fetchNextPage();
    else if (hasPreviousPage && firstShown < NEAR_ROWS) void fetchPreviousPage();
  }, [hasNextPage, hasPreviousPage, isFetching, isStuck, firstShown, lastShown, lines.length]);
  const linkAt = (index: number) => scroller.current?.querySelector<HTMLElement>(`[data-index="${index}"] .row-link`);
  const focused = () => document.activeElement?.closest<HTMLElement>('.row[data-line]')?.dataset.line;
  const lastFocused = useRef<string>(undefined);
  useImperativeHandle(ref, () => ({
    isCalm: () => {
      const element = scroller.current;
      if (!element) return true;
      // The pill lies over the list: under the pointer, it counts as one with it.
      const isTouched = element.parentElement?.matches(':hover') || element.matches(':focus-within');
      return element.scrollTop < TOP_PX && !isTouched;
    },
    toTop: () => scroller.current?.scrollTo({ top: 0 }),
    step: (by) => {
      const from = lines.findIndex(({ id }) => id === (focused() ?? lastFocused.current));
      const index = Math.max(0, Math.min(lines.length - 1, from === -1 ? firstShown : from + by));
      virtual.scrollToIndex(index);
      const there = linkAt(index);
      if (there) there.focus();
      else requestAnimationFrame(() => linkAt(index)?.focus());
    },
  }));
  return (
    <div
      ref={scroller}
      className="table"
      role="table"
      aria-label="Log lines"
      aria-rowcount={hasNextPage || hasPreviousPage ? -1 : lines.length + 1}
      onScroll={({ currentTarget }) => (scrolled.current = currentTarget.scrollTop)}
      onBlur={list.calm}
      onFocus={() => (lastFocused.current = focused() ?? lastFocused.current)}
    >
      <div className="row-head" role="row" aria-rowindex={1}>
        <span role="columnheader">{search.times === 'ago' ? 'Written' : `Time, ${zone()}`}</span>
        <span role="columnheader">Level</span>
        <span role="columnheader">Source</span>
        <span role="columnheader">Server</span>
        <span role="columnheader">Message</span>
      </div>
      <div className="rows" role="rowgroup" style={{ height: virtual.getTotalSize() }}>
        {rows.map(({ index, start, key }) => (
          <Row
            key={key as string}
            line={lines[index]!}
            index={index}
            start_px={start}
            search={search}
            fresh={list.isFresh(key as string)}
          />
        ))}
      </div>
      <p className="list-foot soft">
        {isStuck ? (
          <>
            More could not be loaded.{' '}
            <Button onClick={() => void (list.isFetchNextPageError ? fetchNextPage() : fetchPreviousPage())}>
              Try again
            </Button>
          </>
        ) : hasNextPage ? (
          'Reading on …'
        ) : (
          'No older line fits.'
        )}
      </p>
    </div>
  );
}

/**
 * Keeps the line at the top edge where it is when pages come or go above it. At the top of the newest page nothing is
 * held: there new lines push the others down. Gives where the list is scrolled to.
 */
function useHeldStill(scroller: { current: HTMLElement | null }, lines: Line[], rowPx: number, newer: boolean) {
  const scrolled = useRef(0);
  const before = useRef({ lines, newer });
  useLayoutEffect(() => {
    const was = before.current;
    before.current = { lines, newer };
    if (was.lines === lines || (scrolled.current < TOP_PX && !was.newer)) return;
    const top = was.lines[Math.floor(scrolled.current / rowPx)];
    const now = top ? lines.findIndex(({ id }) => id === top.id) : -1;
    if (now === -1) return;
    const wanted = now * rowPx + (scrolled.current % rowPx);
    if (wanted === scrolled.current) return;
    scrolled.current = wanted;
    scroller.current?.scrollTo({ top: wanted });
  }, [lines, newer, rowPx, scroller]);
  return scrolled;
}
