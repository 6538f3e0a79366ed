import '../../styles/runs.css';

import { accepted } from '@signalbox/client/react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useRef } from 'react';

import { api } from '../../api.ts';
import { useMay } from '../../session/session.tsx';
import { useKeys, useRowKeys } from '../../shell/keys.ts';
import { oneOf, text } from '../../shell/search.ts';
import { useTitle } from '../../shell/title.ts';
import { Button } from '../../widgets/button.tsx';
import { useGlow } from '../../widgets/glow.ts';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { Ago } from '../../widgets/time.tsx';
import { TypedWords } from '../../widgets/typed_words.tsx';
import { RunChip } from '../runs/chip.tsx';
import { isCalm, More } from '../runs/rows.tsx';
import { useSteady } from '../runs/steady.ts';
import type { Runbook } from './query.ts';
import { Starts } from './starts.tsx';

const PAGE_RUNBOOKS = 100;

/** Runbooks: what can be done by itself or at the press of a button, and how it ended last. */
export default function RunbooksPage() {
  useTitle('Runbooks');
  const navigate = useNavigate();
  const search: Record<string, unknown> = useSearch({ strict: false });
  const filter = useMemo(() => ({ ...text('q', search), ...oneOf('archived', search, ['true']) }), [search]);
  const mayWrite = useMay('automations.write');
  const write = () => void navigate({ to: '/runbooks/new' });
  useKeys(mayWrite ? { c: write } : {});
  const change = (changes: { q?: string | undefined; archived?: string | undefined }) =>
    void navigate({ to: '/runbooks', search: { ...filter, ...changes } as never, replace: true });
  return (
    <div className="list-page">
      <header className="page-head">
        <h1>Runbooks</h1>
        <span className="grow" />
        {mayWrite && (
          <Button look="primary" icon="plus" shortcut="c" onClick={write}>
            Write
          </Button>
        )}
      </header>
      <div className="filters" role="search" aria-label="Filter runbooks">
        <TypedWords label="Words in the name" value={filter.q ?? ''} onChange={(q) => change({ q: q || undefined })} />
        <div className="segments" role="group" aria-label="Which">
          {[undefined, 'true' as const].map((archived) => (
            <Link
              key={archived ?? ''}
              className="segment"
              to="/runbooks"
              search={{ ...filter, archived } as never}
              aria-current={filter.archived === archived || undefined}
            >
              {archived ? 'Put away' : 'In use'}
            </Link>
          ))}
        </div>
      </div>
      <List filter={filter} mayWrite={mayWrite} />
    </div>
  );
}

function List({ filter, mayWrite }: { filter: { q?: string; archived?: 'true' }; mayWrite: boolean }) {
  const runbooks = useInfiniteQuery({
    queryKey: ['runbooks', filter],
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: { next?: string | null }) => page.next ?? undefined,
    queryFn: async ({ pageParam, signal }) => {
      const words = filter.q ? { q: filter.q } : {};
      const query = {
        ...words,
        archived: filter.archived === 'true',
        limit: PAGE_RUNBOOKS,
        ...(pageParam ? { cursor: pageParam } : {}),
      };
      return accepted(await api.GET('/api/v1/runbooks', { params: { query }, signal }));
    },
  });
  const loaded = useMemo(() => runbooks.data?.pages.flatMap(({ items }) => items) ?? [], [runbooks.data]);
  const list = useRef<HTMLDivElement>(null);
  const { rows, come, gone, admit, calm } = useSteady(loaded, JSON.stringify(filter), () => isCalm(list.current));
  useRowKeys(list, '.row-link');
  if (runbooks.isError && !runbooks.data)
    return <Failed error={runbooks.error} again={() => void runbooks.refetch()} />;
  if (runbooks.isPending) return <Loading lines={10} />;
  if (rows.length === 0 && come === 0) {
    return filter.q || filter.archived ? (
      <Empty title="No runbook fits">Take a filter away.</Empty>
    ) : (
      <Empty title="There is no runbook yet">
        {mayWrite
          ? 'Write the first one: steps that are done by hand, at times, or when something happens.'
          : 'Somebody with the permission automations.write can write one.'}
      </Empty>
    );
  }
  return (
    <div className="list">
      <Pill come={come} gone={gone.size} admit={admit} />
      <div ref={list} className="table" tabIndex={-1} onPointerLeave={calm}>
        <table className="plain padded runbooks">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col" className="only-wide">
                Starts
              </th>
              <th scope="col">Last run</th>
              <th scope="col">
                <span className="visually-hidden">Run it</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((runbook) => (
              <Row key={runbook.id} runbook={runbook} gone={gone.has(runbook.id)} />
            ))}
          </tbody>
        </table>
        <More list={runbooks} />
      </div>
    </div>
  );
}

/** What waits for whoever has a hand on the list. */
export function Pill({ come, gone, admit }: { come: number; gone: number; admit: () => void }) {
  const words = [come && `${come} new`, gone && `${gone} no longer here`].filter(Boolean).join(', ');
  return (
    <div className="pill-place" role="status">
      {words && (
        <button type="button" className="pill" onClick={admit}>
          {words}
        </button>
      )}
    </div>
  );
}

function Row({ runbook, gone }: { runbook: Runbook; gone: boolean }) {
  const { definition, last_execution: last } = runbook;
  const row = useGlow<HTMLTableRowElement>(`${runbook.version} ${last?.id} ${last?.status}`);
  const mayRun = useMay('automations.run');
  return (
    <tr ref={row} className="linked" data-left={gone || undefined}>
      <th scope="row">
        <Link to={`/runbooks/${runbook.id}`} className="row-link" title={definition.name}>
          {definition.name}
        </Link>
        <span className="row-note soft" title={definition.description}>
          {definition.description?.split('\n')[0]}
        </span>
        <span className="only-narrow row-note">
          <Starts definition={definition} nextAt={runbook.next_at} />
        </span>
      </th>
      <td className="only-wide">
        <Starts definition={definition} nextAt={runbook.next_at} />
      </td>
      <td>
        {last ? (
          <span className="last-run">
            <RunChip status={last.status} />
            <span className="soft">
              <Ago at={last.ended_at ?? last.queued_at} suffix=" ago" />
            </span>
          </span>
        ) : (
          <span className="soft">never</span>
        )}
      </td>
      <td className="cell-act">
        {mayRun && !runbook.archived && (
          <Link
            className="button"
            data-look="plain"
            to={`/runbooks/${runbook.id}`}
            search={{ run: '1' } as never}
            aria-label={`Run ${definition.name}`}
          >
            Run …
          </Link>
        )}
      </td>
    </tr>
  );
}
