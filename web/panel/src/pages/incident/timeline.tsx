import type { EventOf } from '@signalbox/client';
import { accepted, useSSE } from '@signalbox/client/react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type FormEvent, type KeyboardEvent, useRef, useState } from 'react';

import { api, type Schemas, wordsOf } from '../../api.ts';
import { useMay } from '../../session/session.tsx';
import { Button } from '../../widgets/button.tsx';
import { useGlow } from '../../widgets/glow.ts';
import { Icon, type IconName } from '../../widgets/icon.tsx';
import { Failed, Loading } from '../../widgets/states.tsx';
import { Ago } from '../../widgets/time.tsx';
import { whatOf } from '../../widgets/what.ts';
import { useIncidentCommand } from '../incidents/commands.ts';
import { type Incident, idOf } from '../incidents/incident.ts';

type Event = Schemas['Event'];

/** Events of a page, the most that one answer has. */
const PAGE_EVENTS = 1000;

/** All events of an incident, oldest first: the end is where one goes on. */
export function Timeline({ incident }: { incident: Incident }) {
  const { id } = incident;
  const queries = useQueryClient();
  const key = ['timeline', id];
  const timeline = useQuery({
    queryKey: key,
    queryFn: async ({ signal }) => {
      const events: Event[] = [];
      let after: number | null | undefined = 0;
      do {
        const params = { path: { incident: id }, query: { after, limit: PAGE_EVENTS } };
        const page: Schemas['EventPage'] = accepted(
          await api.GET('/api/v1/incidents/{incident}/timeline', { params, signal }),
        );
        events.push(...page.items);
        after = page.next;
      } while (after);
      // What was told while the answer was under way.
      const last = events[events.length - 1]?.version ?? 0;
      const since = queries.getQueryData<Event[]>(key)?.filter(({ version }) => version > last) ?? [];
      return [...events, ...since];
    },
  });
  useSSE('incident.*', (event: EventOf) => {
    if (idOf(event) !== id) return;
    const before = queries.getQueryData<Event[]>(key);
    const last = before?.[before.length - 1];
    if (before && last && event.version === last.version + 1) queries.setQueryData(key, [...before, event]);
    else if (!last || event.version > last.version) void queries.invalidateQueries({ queryKey: key });
  });
  const loadedLast = useRef<number>(undefined);
  loadedLast.current ??= timeline.data?.[timeline.data.length - 1]?.seq;
  return (
    <section className="timeline" aria-label="Timeline">
      <h2>Timeline</h2>
      {timeline.isError && !timeline.data && <Failed error={timeline.error} again={() => void timeline.refetch()} />}
      {timeline.isPending && <Loading lines={4} />}
      <ol>
        {timeline.data?.map((event) => (
          <Entry key={event.seq} event={event} fresh={event.seq > (loadedLast.current ?? Infinity)} />
        ))}
      </ol>
      <CommentBox incident={incident} />
    </section>
  );
}

const ICONS: Record<string, IconName> = {
  'incident.created': 'incidents',
  'incident.status.changed': 'move',
  'incident.assigned': 'person',
  'incident.commented': 'comment',
  'incident.updated': 'edit',
};

function Entry({ event, fresh }: { event: Event; fresh: boolean }) {
  const entry = useGlow<HTMLLIElement>(event.seq, fresh);
  const isComment = event.type === 'incident.commented';
  return (
    <li ref={entry} className="entry" data-comment={isComment || undefined} id={`event-${event.seq}`}>
      <span className="entry-icon">
        <Icon name={ICONS[event.type] ?? 'merge'} />
      </span>
      <div className="entry-body">
        <div className="entry-line">
          <strong>{event.actor.name}</strong> <span>{isComment ? 'commented' : whatOf(event)}</span>{' '}
          <span className="soft">
            <Ago at={event.occurred_at} suffix=" ago" /> ·{' '}
            <Link to="/events" search={{ seq: event.seq } as never} title="This event in the log">
              {event.seq}
            </Link>
          </span>
        </div>
        {isComment && <p className="entry-text">{whatOf(event)}</p>}
      </div>
    </li>
  );
}

function CommentBox({ incident }: { incident: Incident }) {
  const [text, setText] = useState('');
  const { mutate, isPending, error } = useIncidentCommand();
  if (!useMay('incidents.write') || !incident.allowed_actions.includes('comment')) return null;
  const send = (event?: FormEvent) => {
    event?.preventDefault();
    if (!text.trim() || isPending) return;
    mutate({ id: incident.id, command: { do: 'comment', text } }, { onSuccess: () => setText('') });
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) send();
  };
  return (
    <form className="comment-box" onSubmit={send}>
      <textarea
        className="input"
        aria-label="Comment"
        placeholder="What do you know? Ctrl Enter sends."
        rows={3}
        maxLength={8192}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={press}
      />
      {error && (
        <p className="wrong" role="alert">
          {wordsOf(error)}
        </p>
      )}
      <Button type="submit" disabled={isPending || !text.trim()}>
        {isPending ? 'Sending …' : 'Comment'}
      </Button>
    </form>
  );
}
