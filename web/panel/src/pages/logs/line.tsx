import { accepted, CommandRefused } from '@signalbox/client/react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { type ReactNode, useEffect, useRef } from 'react';

import { api } from '../../api.ts';
import { Button } from '../../widgets/button.tsx';
import { Copy } from '../../widgets/copy.tsx';
import { Dialog } from '../../widgets/dialog.tsx';
import { Empty, Failed, Loading } from '../../widgets/states.tsx';
import { fieldOf } from './filter.ts';
import { ANY } from './filters.tsx';
import type { Line } from './lines.ts';
import type { Change } from './page.tsx';
import { LevelMark } from './row.tsx';
import { clock, wholly } from './times.ts';

/** Neighbours on either side. */
const NEIGHBOURS = 12;
/** What "around" means, in ms on either side. */
const AROUND_MS = 60_000;

/** A line with all that it says, among its neighbours. */
export function LineDialog({ id, field, change }: { id: string; field: string[] | undefined; change: Change }) {
  const context = useQuery({
    queryKey: ['logs', 'context', id],
    // From neighbour to neighbour, nothing blinks.
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const params = { path: { line: id }, query: { before: NEIGHBOURS, after: NEIGHBOURS } };
      return accepted(await api.GET('/api/v1/logs/{line}/context', { params, signal }));
    },
  });
  const { data, error } = context;
  const line = data?.items.find((one) => one.id === id) ?? data?.items[data.place];
  const isGone = error instanceof CommandRefused && error.problem.status === 404;
  return (
    <Dialog title={`Line ${id}`} look="wide" onClose={() => change({ line: undefined })}>
      {isGone && <Empty title="There is no such line">Lines are kept for some days only.</Empty>}
      {context.isError && !isGone && <Failed error={error} again={() => void context.refetch()} />}
      {context.isPending && <Loading lines={5} />}
      {line && !context.isError && <Shown line={line} field={field} change={change} />}
      {data && !context.isError && <Neighbours lines={data.items} id={id} change={change} />}
    </Dialog>
  );
}

function Shown({ line, field = [], change }: { line: Line; field: string[] | undefined; change: Change }) {
  const { at, recorded_at, level, source, server, execution, message, fields } = line;
  const around = (by_ms: number) => new Date(Date.parse(at) + by_ms).toISOString();
  return (
    <div className="log-line">
      <pre className="json" tabIndex={0} aria-label="Message">
        {message}
      </pre>
      <div className="actions">
        <Copy what="message" text={message} />
        <Copy what="JSON" text={JSON.stringify(line, undefined, 2)} />
        <Copy what="link" text={location.href} />
        <Button
          onClick={() => change({ ...ANY, since: around(-AROUND_MS), before: around(AROUND_MS), line: undefined })}
        >
          Everything within a minute
        </Button>
      </div>
      <dl className="pairs">
        <Pair name="written">{wholly(at)}</Pair>
        {recorded_at !== at && <Pair name="recorded">{wholly(recorded_at)}</Pair>}
        <Pair name="level" only={() => change({ level, line: undefined })}>
          <LevelMark level={level} />
        </Pair>
        <Pair name="source" only={() => change({ source, line: undefined })}>
          {source}
        </Pair>
        {server && (
          <Pair name="server" only={() => change({ server, line: undefined })}>
            {server}
          </Pair>
        )}
        {execution && (
          <Pair name="execution" only={() => change({ execution, line: undefined })}>
            {execution}
          </Pair>
        )}
        {Object.entries((fields as object | undefined) ?? {}).map(([name, value]) => {
          const wanted = fieldOf(name, value);
          const only = wanted && (() => change({ field: [...field, wanted], line: undefined }));
          return (
            <Pair key={name} name={name} {...(only && { only })}>
              {typeof value === 'string' ? value : JSON.stringify(value)}
            </Pair>
          );
        })}
      </dl>
    </div>
  );
}

function Pair({ name, only, children }: { name: string; only?: () => void; children: ReactNode }) {
  return (
    <div>
      <dt title={name}>{name}</dt>
      <dd className="mono">
        {children}
        {only && (
          <Button look="bare" className="only" aria-label={`Filter by this ${name}`} icon="filter" onClick={only} />
        )}
      </dd>
    </div>
  );
}

/** What was written before and after, by the same source. */
function Neighbours({ lines, id, change }: { lines: Line[]; id: string; change: Change }) {
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    // Not into view, which would scroll the dialog away from the message.
    const here = list.current?.querySelector<HTMLElement>('[aria-current]');
    if (here) list.current!.scrollTop = here.offsetTop - list.current!.clientHeight / 2;
  }, [id, lines]);
  return (
    <section>
      <h3>Around it, of the same source</h3>
      <ol ref={list} className="neighbours" aria-label="Lines around it">
        {lines.map((line) => (
          <li key={line.id} aria-current={line.id === id || undefined}>
            <button type="button" className="mono" onClick={() => change({ line: line.id })}>
              <time dateTime={line.at} className="soft">
                {clock(line.at)}
              </time>
              <LevelMark level={line.level} />
              <span className="neighbour-message">{line.message}</span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}
