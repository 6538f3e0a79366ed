import { useVirtualizer } from '@tanstack/react-virtual';
import { type Ref, useEffect, useImperativeHandle, useRef } from 'react';

import { Button } from '../../widgets/button.tsx';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { useNarrow } from '../../widgets/narrow.ts';
import type { Filter } from './filter.ts';
import type { useIncidentList } from './list.ts';
import { Row } from './row.tsx';

/** In px; the style sheet has the same. */
const ROW_PX = 40;
const NARROW_ROW_PX = 64;
/** A list scrolled less than this is at its top. In px. */
const TOP_PX = 8;

export interface TableHandle {
  /** Whether rows may move: at the top, without pointer or focus on them. */
  isCalm: () => boolean;
  toTop: () => void;
  /** Puts the focus on a row. */
  focus: (index: number) => void;
  /** The row with the focus, else the last that had it. */
  at: () => number;
}

interface TableProps {
  ref: Ref<TableHandle>;
  list: ReturnType<typeof useIncidentList>;
  filter: Filter;
  chosen: ReadonlySet<string>;
  onChoose: (id: string, chosen: boolean) => void;
}

/** The rows, of which only those that can be seen are in the page. */
export function Table({ ref, list, filter, chosen, onChoose }: TableProps) {
  const { ids, hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const scroller = useRef<HTMLDivElement>(null);
  const lastAt = useRef(-1);
  const rowPx = useNarrow() ? NARROW_ROW_PX : ROW_PX;
  const seen = useRef<{ filter: Filter; ids: Set<string> }>(undefined);
  const virtual = useVirtualizer({
    count: ids.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowPx,
    overscan: 8,
  });
  useEffect(() => virtual.measure(), [rowPx, virtual]);
  const rows = virtual.getVirtualItems();
  const lastShown = rows[rows.length - 1]?.index ?? 0;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && lastShown > ids.length - 20) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage, lastShown, ids.length]);
  // Rows that came while the list was shown glow; those of a list just loaded do not.
  const isFresh = (id: string) => seen.current?.filter === filter && !seen.current.ids.has(id);
  useEffect(() => {
    const before = seen.current?.filter === filter ? seen.current.ids : [];
    if (ids.length > 0) seen.current = { filter, ids: new Set([...before, ...ids]) };
  }, [ids, filter]);
  const rowAt = (index: number) => scroller.current?.querySelector<HTMLElement>(`[data-index="${index}"] .row-link`);
  const focused = () => {
    const row = document.activeElement?.closest<HTMLElement>('.row[data-index]');
    return row && scroller.current?.contains(row) ? Number(row.dataset.index) : undefined;
  };
  useImperativeHandle(ref, () => ({
    isCalm: () => {
      const element = scroller.current;
      return !element || (element.scrollTop < TOP_PX && !element.matches(':hover') && focused() === undefined);
    },
    toTop: () => scroller.current?.scrollTo({ top: 0 }),
    at: () => focused() ?? lastAt.current,
    focus: (index) => {
      virtual.scrollToIndex(index);
      const there = rowAt(index);
      if (there) there.focus();
      else requestAnimationFrame(() => rowAt(index)?.focus());
    },
  }));
  if (list.isError && ids.length === 0) return <Failed error={list.error} again={() => void list.refetch()} />;
  if (list.isPending) return <Loading lines={12} />;
  if (ids.length === 0) return <Nothing filter={filter} />;
  return (
    <div
      ref={scroller}
      className="table"
      role="table"
      aria-label="Incidents"
      aria-rowcount={hasNextPage ? -1 : ids.length + 1}
      onPointerLeave={list.calm}
      onBlur={list.calm}
      onFocus={() => (lastAt.current = focused() ?? lastAt.current)}
    >
      <div className="row-head" role="row" aria-rowindex={1}>
        {HEADS.map(([name, words]) => (
          <span key={name} role="columnheader" className={`cell-${name}`}>
            {words || <span className="visually-hidden">Choose</span>}
          </span>
        ))}
      </div>
      <div className="rows" role="rowgroup" style={{ height: virtual.getTotalSize() }}>
        {rows.map(({ index, start }) => (
          <Row
            key={ids[index]!}
            id={ids[index]!}
            index={index}
            start_px={start}
            filter={filter}
            chosen={chosen.has(ids[index]!)}
            fresh={isFresh(ids[index]!)}
            onChoose={onChoose}
          />
        ))}
      </div>
      {list.isFetchNextPageError && (
        <p className="list-foot">
          More could not be loaded. <Button onClick={() => void fetchNextPage()}>Try again</Button>
        </p>
      )}
    </div>
  );
}

const HEADS = [
  ['choose', ''],
  ['severity', 'Sev'],
  ['key', 'Number'],
  ['title', 'Title'],
  ['servers', 'Servers'],
  ['priority', 'Prio'],
  ['status', 'Status'],
  ['assignee', 'Assignee'],
  ['time', 'Age'],
] as const;

function Nothing({ filter }: { filter: Filter }) {
  const { order: _order, ...narrowing } = filter;
  return Object.keys(narrowing).length > 0 ? (
    <Empty title="No incident fits">Take a filter away, or choose other statuses. New ones appear by themselves.</Empty>
  ) : (
    <Empty title="Nothing is wrong">No incident is open. A new one appears here by itself.</Empty>
  );
}
