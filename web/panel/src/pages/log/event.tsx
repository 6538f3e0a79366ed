import { accepted } from '@signalbox/client/react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import { api, type Schemas } from '../../api.ts';
import { Button } from '../../widgets/button.tsx';
import { Dialog } from '../../widgets/dialog.tsx';
import { Failed, Loading } from '../../widgets/states.tsx';
import { exactly } from '../../widgets/time.tsx';
import { whatOf } from '../../widgets/what.ts';
import { type Difference, differences } from './differences.ts';
import { type LogFilter, WHOLE } from './filter.ts';
import { type Event, search } from './query.ts';

/** Related events beside an event; the list shows all. */
const MOST_RELATED = 20;

/** Changes the address. */
export type Change = (changes: Partial<Record<keyof LogFilter, unknown>>) => void;

/** One event with all that is recorded of it. */
export function EventDialog({ seq, change }: { seq: number; change: Change }) {
  const proven = useQuery({
    queryKey: ['event', seq],
    queryFn: async ({ signal }) =>
      accepted(await api.GET('/api/v1/events/{seq}', { params: { path: { seq } }, signal })) as Schemas['ProvenEvent'],
  });
  const close = () => change({ seq: undefined });
  const event = proven.data?.event as Event | undefined;
  return (
    <Dialog title={`Event ${seq}`} look="wide" onClose={close}>
      {proven.isError && <Failed error={proven.error} again={() => void proven.refetch()} />}
      {proven.isPending && <Loading lines={5} />}
      {event && <Shown event={event} hash={proven.data!.leaf_hash} change={change} />}
    </Dialog>
  );
}

function Shown({ event, hash, change }: { event: Event; hash: string; change: Change }) {
  const isIncident = event.stream.startsWith('incident/');
  return (
    <div className="event">
      <p>
        <strong>{event.actor.name}</strong> {whatOf(event)}
      </p>
      <BeforeAndAfter seq={event.seq} />
      <h3>Data</h3>
      <pre className="json" tabIndex={0}>
        {JSON.stringify(event.data, undefined, 2)}
      </pre>
      <h3>Envelope</h3>
      <dl className="pairs">
        <Pair name="type">{event.type}</Pair>
        <Pair name="stream">
          {event.stream}
          <span className="soft"> version {event.version}</span>
        </Pair>
        <Pair name="recorded">{exactly(event.recorded_at)}</Pair>
        {event.occurred_at !== event.recorded_at && <Pair name="occurred">{exactly(event.occurred_at)}</Pair>}
        <Pair name="actor">
          <button
            type="button"
            className="log-open"
            onClick={() => change({ ...WHOLE, actor: event.actor.id, seq: undefined })}
          >
            {event.actor.id}
          </button>
        </Pair>
        <Pair name="permissions">{event.permissions.join(', ') || 'everybody'}</Pair>
        <Pair name="correlation">{event.correlation_id}</Pair>
        {event.causation_id && <Pair name="causation">{event.causation_id}</Pair>}
        {event.trace_id && <Pair name="trace">{event.trace_id}</Pair>}
        <Pair name="id">{event.id}</Pair>
        <Pair name="leaf hash">{hash}</Pair>
      </dl>
      <div className="actions">
        <Button onClick={() => change({ ...WHOLE, stream: event.stream, seq: undefined })}>
          All events of this stream
        </Button>
        {isIncident && (
          <Link className="button" data-look="plain" to={`/incidents/${event.stream.slice('incident/'.length)}`}>
            The incident
          </Link>
        )}
      </div>
      <Related event={event} change={change} />
    </div>
  );
}

function Pair({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="mono">{children}</dd>
    </div>
  );
}

const UNKNOWN: Record<Schemas['UnknownStates'], string> = {
  stateless: 'It is a fact of its own: its stream keeps no state.',
  too_long: 'Too many events came before it to work that out here.',
  not_yours: 'You may not see all events that came before it.',
  unreadable: 'Events before it are of another version.',
};

/** What its aggregate was before it and is after it, folded from the log by the server. */
function BeforeAndAfter({ seq }: { seq: number }) {
  const states = useQuery({
    queryKey: ['event', seq, 'states'],
    queryFn: async ({ signal }) =>
      accepted(await api.GET('/api/v1/events/{seq}/states', { params: { path: { seq } }, signal })),
  });
  const { before, after, unknown } = states.data ?? {};
  const changes = differences(before, after);
  return (
    <section>
      <h3>Before and after</h3>
      {states.isPending && <Loading lines={2} />}
      {states.isError && <Failed error={states.error} again={() => void states.refetch()} />}
      {unknown && <p className="soft">{UNKNOWN[unknown]}</p>}
      {states.data && !unknown && changes.length === 0 && <p className="soft">Nothing in the state is different.</p>}
      {changes.length > 0 && <Changes changes={changes} />}
      {after !== undefined && after !== null && (
        <details>
          <summary>The whole state after it</summary>
          <pre className="json" tabIndex={0}>
            {JSON.stringify(after, undefined, 2)}
          </pre>
        </details>
      )}
    </section>
  );
}

function Changes({ changes }: { changes: Difference[] }) {
  return (
    <table className="before-after">
      <thead>
        <tr>
          <th scope="col">Field</th>
          <th scope="col">Before</th>
          <th scope="col">After</th>
        </tr>
      </thead>
      <tbody>
        {changes.map(({ field, old, now }) => (
          <tr key={field}>
            <th scope="row">{field.replaceAll('_', ' ')}</th>
            <td className="mono">{old}</td>
            <td className="mono">{now}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What belongs to the same story: all that has its correlation. */
function Related({ event, change }: { event: Event; change: Change }) {
  const { seq, correlation_id: correlation } = event;
  const related = useQuery({
    queryKey: ['event', seq, 'related'],
    queryFn: ({ signal }) => search({ correlation }, undefined, MOST_RELATED, signal),
  });
  const others = related.data?.items.filter((one) => one.seq !== seq).reverse() ?? [];
  return (
    <section>
      <h3>Of the same story</h3>
      {related.isPending && <Loading lines={1} />}
      {related.isError && <Failed error={related.error} again={() => void related.refetch()} />}
      {related.data && others.length === 0 && <p className="soft">Nothing else.</p>}
      <ul className="related">
        {others.map((one) => (
          <li key={one.seq}>
            <Button look="bare" onClick={() => change({ seq: one.seq })}>
              <span className="mono">
                {one.seq} {one.type}
              </span>
            </Button>
          </li>
        ))}
      </ul>
      {others.length > 0 && (
        <Button onClick={() => change({ ...WHOLE, correlation, seq: undefined })}>As a list</Button>
      )}
    </section>
  );
}
