import { QueryClient } from '@tanstack/react-query';
import { expect, test } from 'vitest';

import { createOffers, created, evolve, type Incident, type IncidentEvent } from '../src/pages/incidents/incident.ts';
import { incidentKey, incidentRules, keep } from '../src/pages/incidents/live.ts';

const ID = '0198f000-0000-7000-8000-000000000001';

function event(version: number, type: IncidentEvent['type'], data: object, at = version): IncidentEvent {
  return {
    seq: version * 10,
    id: `event-${version}`,
    stream: `incident/${ID}`,
    version,
    type,
    data,
    actor: { id: 'user:1', name: 'ada' },
    permissions: [],
    correlation_id: 'c',
    occurred_at: `2026-11-21T10:00:${String(at).padStart(2, '0')}Z`,
    recorded_at: '2026-11-21T10:00:00Z',
  } as unknown as IncidentEvent;
}

const facts = { number: 1, title: 'Disk full', description: '', severity: 'P1', priority: 'high' };
const first = () =>
  created(
    event(1, 'incident.created', { ...facts, affected_servers: ['db-1'], labels: {} }) as Parameters<typeof created>[0],
  );
const moved = (version: number, old: string, now: string, cause = 'move') =>
  event(version, 'incident.status.changed', { old, new: now, cause, reason: null, resolution: null });
const play = (...events: IncidentEvent[]) => events.reduce(evolve, first());

test('times begin and end with the status, as in the server', () => {
  const resolved = play(moved(2, 'triggered', 'acknowledged'), moved(3, 'acknowledged', 'resolved'));
  expect(resolved).toMatchObject({
    status: 'resolved',
    version: 3,
    acknowledged_at: '2026-11-21T10:00:02Z',
    resolved_at: '2026-11-21T10:00:03Z',
    closed_at: null,
  });
  const again = evolve(resolved, moved(4, 'resolved', 'triggered'));
  expect(again).toMatchObject({ reopened: 1, acknowledged_at: null, resolved_at: null, resolution: null });
});

test('a merge that is undone is no reopening', () => {
  const merged = play(event(2, 'incident.merged', { into: { id: 'x', number: 9 } }), moved(3, 'triggered', 'closed'));
  const apart = evolve(evolve(merged, event(4, 'incident.unmerged', {})), moved(5, 'closed', 'triggered', 'unmerge'));
  expect(merged).toMatchObject({ merged_into: 'x', status: 'closed' });
  expect(apart).toMatchObject({ merged_into: null, status: 'triggered', reopened: 0 });
});

test('facts, assignee, comments and duplicates are kept', () => {
  const incident = play(
    event(2, 'incident.updated', { changes: { severity: { old: 'P1', new: 'P0' }, title: { old: '', new: 'Full' } } }),
    event(3, 'incident.assigned', { old: null, new: 'ada' }),
    event(4, 'incident.commented', { comment_id: 'c', text: 'hm' }),
    event(5, 'incident.absorbed', { incident: { id: 'y', number: 7 } }),
    event(6, 'incident.released', { incident: { id: 'y', number: 7 } }, 1),
  );
  expect(incident).toMatchObject({ severity: 'P0', title: 'Full', assignee: 'ada', comments: 1, absorbed: [] });
  expect(incident.updated_at).toBe('2026-11-21T10:00:05Z'); // another server's clock was behind
});

test('what the server offered for a status is offered again; what it never said is not made up', () => {
  const offers = createOffers();
  expect(offers.on(first())).toBeUndefined();
  offers.learn({ ...first(), allowed_actions: ['acknowledge'] });
  expect(offers.on(first())?.allowed_actions).toEqual(['acknowledge']);
  expect(offers.on({ ...first(), merged_into: 'x' })).toBeUndefined();
});

/** An answer that is true as of a position. */
const asOf = (seq: number) => new Response(null, { headers: { 'signalbox-seq': String(seq) } });

test('an answer that was asked for before an event is brought up to date by it, and never overtakes what is newer', () => {
  const queries = new QueryClient();
  const known = (version: number): Incident => ({ ...first(), version, allowed_actions: ['acknowledge'] });
  const tell = (told: IncidentEvent) => incidentRules[0]!.patch!(queries, told as never);
  const cached = () => queries.getQueryData<Incident>(incidentKey(ID));
  keep(queries, [known(1)], asOf(10));
  tell(event(2, 'incident.assigned', { old: null, new: 'ada' }));
  expect(cached()).toMatchObject({ version: 2, assignee: 'ada' });
  tell(event(2, 'incident.assigned', { old: null, new: 'ada' })); // told twice, counted once
  keep(queries, [known(1)], asOf(10)); // the older answer arrives late
  expect(cached()).toMatchObject({ version: 2, assignee: 'ada' });
  keep(queries, [{ ...known(5), title: 'confirmed' }], asOf(50)); // a command's answer, faster than its event
  keep(queries, [known(3)], asOf(30));
  expect(cached()).toMatchObject({ version: 5, title: 'confirmed' });
  queries.clear();
  keep(queries, [known(1)], asOf(10)); // and where nothing is cached any more
  expect(cached()).toMatchObject({ version: 2, assignee: 'ada' });
});
