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
import type { LogFilter } from './filter.ts';
import type { Event } from './query.ts';

/** Related events are looked for so far on either side: what one command causes is recorded together. */
const NEAR_EVENTS = 500;

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
      <BeforeAndAfter event={event} />
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
        <Pair name="actor">{event.actor.id}</Pair>
        <Pair name="permissions">{event.permissions.join(', ') || 'everybody'}</Pair>
        <Pair name="correlation">{event.correlation_id}</Pair>
        {event.causation_id && <Pair name="causation">{event.causation_id}</Pair>}
        {event.trace_id && <Pair name="trace">{event.trace_id}</Pair>}
        <Pair name="id">{event.id}</Pair>
        <Pair name="leaf hash">{hash}</Pair>
      </dl>
      <div className="actions">
        <Button onClick={() => change({ stream: event.stream, types: undefined, before: undefined, seq: undefined })}>
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

/** What was and what is, where an event says both. */
function BeforeAndAfter({ event: { type, data } }: { event: Event }) {
  const changes = changesOf(type.split('.').slice(1, -1).join(' ') || type, data);
  if (changes.length === 0) return null;
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
            <th scope="row">{field}</th>
            <td className="mono">{old}</td>
            <td className="mono">{now}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** `{old, new}` itself, or `{changes: {field: {old, new}}}`. */
function changesOf(event: string, data: unknown) {
  const isChange = (value: unknown): value is { old: unknown; new: unknown } =>
    typeof value === 'object' && value !== null && 'old' in value && 'new' in value;
  const words = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  const named = isChange(data) ? { [event]: data } : ((data as { changes?: object } | null)?.changes ?? {});
  return Object.entries(named).flatMap(([field, change]) =>
    isChange(change) ? [{ field, old: words(change.old), now: words(change.new) }] : [],
  );
}

/** What followed from the same first command, as far as it is near. */
function Related({ event, change }: { event: Event; change: Change }) {
  const { seq, correlation_id } = event;
  const related = useQuery({
    queryKey: ['related', seq],
    queryFn: async ({ signal }) => {
      const query = { after: Math.max(0, seq - NEAR_EVENTS), limit: 2 * NEAR_EVENTS };
      const { items } = accepted(await api.GET('/api/v1/events', { params: { query }, signal }));
      return items.filter((one) => one.correlation_id === correlation_id && one.seq !== seq);
    },
  });
  return (
    <section>
      <h3>From the same first command</h3>
      {related.isPending && <Loading lines={1} />}
      {related.data?.length === 0 && <p className="soft">Nothing else, among the {NEAR_EVENTS} before and after.</p>}
      <ul className="related">
        {related.data?.map((one) => (
          <li key={one.seq}>
            <Button look="bare" onClick={() => change({ seq: one.seq })}>
              <span className="mono">
                {one.seq} {one.type}
              </span>
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}
