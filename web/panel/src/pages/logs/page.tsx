import '../../styles/logs.css';

import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useRef, useState } from 'react';

import { useKeys } from '../../shell/keys.ts';
import { useTitle } from '../../shell/title.ts';
import { Button } from '../../widgets/button.tsx';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { Download } from './download.tsx';
import { type LogsFilter, type LogsSearch, readLogsSearch } from './filter.ts';
import { ANY, Filters } from './filters.tsx';
import { Histogram } from './histogram.tsx';
import { LineDialog } from './line.tsx';
import { useLogLines } from './list.ts';
import { Table, type TableHandle } from './table.tsx';

/** Changes the address. */
export type Change = (changes: Partial<Record<keyof LogsSearch, string | string[] | undefined>>) => void;

/** What systems write about themselves: searched, counted, followed. */
export default function LogsPage() {
  useTitle('Logs');
  const navigate = useNavigate();
  const asked: Record<string, unknown> = useSearch({ strict: false });
  const search = useMemo(() => readLogsSearch(asked), [asked]);
  const { line, times, ...filter } = search;
  const change: Change = (changes) => void navigate({ to: '/logs', search: { ...search, ...changes } as never });
  const [paused, setPaused] = useState(false);
  const pause = () => setPaused((before) => !before);
  useKeys({ p: pause });
  return (
    <div className="list-page logs">
      <header className="page-head">
        <h1>Logs</h1>
        <span className="grow" />
        <Button aria-pressed={paused} shortcut="p" onClick={pause}>
          <span className="live-mark" data-paused={paused || undefined} aria-hidden="true" />
          {paused ? 'Paused' : 'Following'}
        </Button>
        <Download filter={filter} />
      </header>
      <Filters search={search} change={change} />
      <Histogram filter={filter} change={change} />
      <Lines key={JSON.stringify(filter)} filter={filter} search={search} paused={paused} change={change} />
      {line !== undefined && <LineDialog id={line} field={filter.field} change={change} />}
    </div>
  );
}

function Lines(props: { filter: LogsFilter; search: LogsSearch; paused: boolean; change: Change }) {
  const { search, paused, change } = props;
  // Equal as long as it is shown: another filter is another list.
  const [filter] = useState(props.filter);
  const { line: _open, ...narrowing } = search;
  const rowSearch = useMemo(() => narrowing, [JSON.stringify(narrowing)]);
  const table = useRef<TableHandle>(null);
  const list = useLogLines(filter, () => table.current?.isCalm() ?? true, paused);
  const show = () => {
    list.admit();
    table.current?.toTop();
  };
  useKeys({
    j: () => table.current?.step(1),
    k: () => table.current?.step(-1),
    '.': show,
    Escape: () => (document.activeElement as HTMLElement | null)?.blur(),
  });
  const { lines, waiting, more } = list;
  return (
    <div className="list" onPointerLeave={list.calm}>
      <div className="pill-place" role="status">
        {(waiting > 0 || more) && (
          <button type="button" className="pill" onClick={show}>
            {waiting || ''}
            {more && '+'} new
          </button>
        )}
      </div>
      {list.isError && lines.length === 0 ? (
        <Failed error={list.error} again={() => void list.refetch()} />
      ) : list.isPending ? (
        <Loading lines={12} />
      ) : lines.length === 0 ? (
        <Nothing filter={filter} change={change} />
      ) : (
        <Table ref={table} list={list} search={rowSearch} />
      )}
    </div>
  );
}

function Nothing({ filter, change }: { filter: LogsFilter; change: Change }) {
  const { last, since, before, ...facts } = filter;
  const isNarrow = Object.keys(facts).length > 0;
  const isAll = last === 'all' && since === undefined && before === undefined;
  return (
    <Empty title={isNarrow || !isAll ? 'No line fits' : 'No lines yet'}>
      <p>
        {isNarrow || !isAll
          ? 'Nothing like this was written in this time. New lines appear by themselves.'
          : 'Whoever may write logs sends them with POST /api/v1/logs. They appear by themselves.'}
      </p>
      <div className="actions state-actions">
        {!isAll && (
          <Button onClick={() => change({ last: 'all', since: undefined, before: undefined })}>Look at all time</Button>
        )}
        {isNarrow && <Button onClick={() => change(ANY)}>Clear the filter</Button>}
      </div>
    </Empty>
  );
}
