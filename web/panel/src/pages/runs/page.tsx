import '../../styles/runs.css';

import { accepted } from '@signalbox/client/react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useRef } from 'react';

import { api } from '../../api.ts';
import { useRowKeys } from '../../shell/keys.ts';
import { useTitle } from '../../shell/title.ts';
import { useGlow } from '../../widgets/glow.ts';
import { Menu, MenuItem, MenuLabel, MultiChoice } from '../../widgets/menu.tsx';
import { Button } from '../../widgets/button.tsx';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { Ago } from '../../widgets/time.tsx';
import { Pill } from '../runbooks/page.tsx';
import { type Run, runbookQuery } from '../runbooks/query.ts';
import { RunChip } from './chip.tsx';
import { readRunFilter, RUN_STATUSES, type RunFilter, type RunTrigger, TRIGGERS } from './filter.ts';
import { isCalm, More } from './rows.tsx';
import { useSteady } from './steady.ts';
import { Took } from './took.tsx';

const PAGE_RUNS = 50;

/** All runs, the newest first. */
export default function RunsPage() {
  useTitle('Runs');
  const search: Record<string, unknown> = useSearch({ strict: false });
  const filter = useMemo(() => readRunFilter(search), [search]);
  return (
    <div className="list-page">
      <header className="page-head">
        <h1>Runs</h1>
        <span className="soft only-wide">Each is one time that a runbook was done.</span>
      </header>
      <RunFilters filter={filter} />
      <RunList filter={filter} />
    </div>
  );
}

function RunFilters({ filter }: { filter: RunFilter }) {
  const navigate = useNavigate();
  const runbook = useQuery({ ...runbookQuery(filter.runbook ?? ''), enabled: filter.runbook !== undefined });
  const change = (changes: Partial<Record<keyof RunFilter, unknown>>) =>
    void navigate({ to: '/runs', search: { ...filter, ...changes } as never, replace: true });
  return (
    <div className="filters" role="search" aria-label="Filter runs">
      <MultiChoice
        name="Status"
        none="any"
        of={RUN_STATUSES}
        chosen={filter.status}
        onChange={(status) => change({ status })}
      />
      <Menu
        active={filter.trigger !== undefined}
        label={<MenuLabel name="Started" value={filter.trigger ? TRIGGERS[filter.trigger] : 'by anything'} />}
      >
        <MenuItem onSelect={() => change({ trigger: undefined })}>by anything</MenuItem>
        {(Object.keys(TRIGGERS) as RunTrigger[]).map((trigger) => (
          <MenuItem key={trigger} onSelect={() => change({ trigger })}>
            {TRIGGERS[trigger]}
          </MenuItem>
        ))}
      </Menu>
      {filter.runbook && (
        <Token words={runbook.data?.definition.name ?? 'one runbook'} remove={() => change({ runbook: undefined })} />
      )}
      {filter.correlation && <Token words="of one story" remove={() => change({ correlation: undefined })} />}
    </div>
  );
}

function Token({ words, remove }: { words: string; remove: () => void }) {
  return (
    <span className="token">
      {words}
      <Button look="bare" icon="close" aria-label={`Not only ${words}`} onClick={remove} />
    </span>
  );
}

/** Rows that change where they are. */
export function RunList({ filter }: { filter: RunFilter }) {
  const runs = useInfiniteQuery({
    queryKey: ['runs', filter],
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: { next?: string | null }) => page.next ?? undefined,
    queryFn: async ({ pageParam, signal }) => {
      const query = { ...filter, limit: PAGE_RUNS, ...(pageParam ? { cursor: pageParam } : {}) };
      return accepted(await api.GET('/api/v1/executions', { params: { query }, signal }));
    },
  });
  const loaded = useMemo(() => runs.data?.pages.flatMap(({ items }) => items) ?? [], [runs.data]);
  const list = useRef<HTMLDivElement>(null);
  const { rows, come, gone, admit, calm } = useSteady(loaded, JSON.stringify(filter), () => isCalm(list.current));
  useRowKeys(list, '.row-link');
  if (runs.isError && !runs.data) return <Failed error={runs.error} again={() => void runs.refetch()} />;
  if (runs.isPending) return <Loading lines={10} />;
  if (rows.length === 0 && come === 0) {
    return Object.keys(filter).length > 0 ? (
      <Empty title="No run fits">Take a filter away. New runs appear by themselves.</Empty>
    ) : (
      <Empty title="Nothing has been run yet">
        <Link to="/runbooks">Choose a runbook</Link> and run it. It appears here by itself.
      </Empty>
    );
  }
  return (
    <div className="list">
      <Pill come={come} gone={gone.size} admit={admit} />
      <div ref={list} className="table" tabIndex={-1} onPointerLeave={calm}>
        <RunTable runs={rows} gone={gone} padded />
        <More list={runs} />
      </div>
    </div>
  );
}

const NONE: ReadonlySet<string> = new Set();

export function RunTable(props: { runs: readonly Run[]; gone?: ReadonlySet<string>; padded?: boolean }) {
  const { runs, gone = NONE, padded = false } = props;
  return (
    <table className={padded ? 'plain runs padded' : 'plain runs'}>
      <thead>
        <tr>
          <th scope="col">Status</th>
          <th scope="col">Runbook</th>
          <th scope="col" className="only-wide">
            Why
          </th>
          <th scope="col" className="only-wide">
            Started
          </th>
          <th scope="col" className="only-wide">
            Took
          </th>
          <th scope="col">Age</th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <Row key={run.id} run={run} gone={gone.has(run.id)} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ run, gone }: { run: Run; gone: boolean }) {
  const row = useGlow<HTMLTableRowElement>(run.status);
  const why = run.end_reason ?? run.reason;
  return (
    <tr ref={row} className="linked" data-left={gone || undefined}>
      <td>
        <RunChip status={run.status} />
      </td>
      <th scope="row">
        <Link to={`/runs/${run.id}`} className="row-link" title={run.definition.name}>
          {run.definition.name}
        </Link>
      </th>
      <td className="said soft only-wide" title={why}>
        {why}
      </td>
      <td className="only-wide">{TRIGGERS[run.trigger.kind]}</td>
      <td className="only-wide">
        <Took from={run.started_at} to={run.ended_at} />
      </td>
      <td className="soft">
        <Ago at={run.queued_at} />
      </td>
    </tr>
  );
}
