import { expect, test } from 'vitest';

import { compare, isListed, readFilter } from '../src/pages/incidents/filter.ts';
import type { Incident } from '../src/pages/incidents/incident.ts';
import { isShown } from '../src/pages/log/filter.ts';
import { parseSearch, stringifySearch } from '../src/shell/search.ts';

const incident = (facts: Partial<Incident>): Incident =>
  ({
    title: 'Disk full on db-1',
    status: 'triggered',
    severity: 'P1',
    priority: 'high',
    assignee: null,
    affected_servers: ['db-1'],
    created_at: '2026-11-21T10:00:00Z',
    updated_at: '2026-11-21T10:00:00Z',
    number: 1,
    ...facts,
  }) as Incident;

test('an address is read as it was written, and what is not known is left out', () => {
  const filter = readFilter(
    parseSearch('?status=triggered&status=mitigated&severity=P9&q=disk&assignee=&order=severity'),
  );
  expect(filter).toEqual({ status: ['triggered', 'mitigated'], q: 'disk', assignee: '', order: 'severity' });
  expect(readFilter(parseSearch(stringifySearch(filter as never)))).toEqual(filter);
  expect(stringifySearch({ a: undefined })).toBe('');
});

test.each([
  ['', {}, true],
  ['', { status: 'resolved' }, false],
  ['?status=resolved', { status: 'resolved' }, true],
  ['?severity=P0&severity=P1', {}, true],
  ['?severity=P0', {}, false],
  ['?assignee=', {}, true],
  ['?assignee=', { assignee: 'ada' }, false],
  ['?assignee=ada', { assignee: 'ada' }, true],
  ['?server=db-2', {}, false],
  ['?q=DISK', {}, true],
  ['?q=disc', {}, false],
  ['?created_from=2026-11-21T10:00:00Z', {}, true],
  ['?created_before=2026-11-21T10:00:00Z', {}, false],
] as const)('%s lists %o: %s', (search, facts, listed) => {
  expect(isListed(incident(facts as Partial<Incident>), readFilter(parseSearch(search)))).toBe(listed);
});

test('incidents stand in the order that the address says', () => {
  const [a, b] = [incident({ number: 1, severity: 'P2', priority: 'urgent' }), incident({ number: 2, severity: 'P0' })];
  const order = (by: Parameters<typeof compare>[2]) => [a, b].sort((x, y) => compare(x, y, by)).map((x) => x.number);
  expect(order('-number')).toEqual([2, 1]);
  expect(order('severity')).toEqual([2, 1]);
  expect(order('-priority')).toEqual([1, 2]);
});

test('the log shows types and families', () => {
  const actor = { id: 'user:7', name: 'olga' };
  const event = { type: 'incident.status.changed', stream: 'incident/1', actor, correlation_id: 'c-1' };
  expect(isShown(event, {})).toBe(true);
  expect(isShown(event, { types: 'user.*,incident.status.*' })).toBe(true);
  expect(isShown(event, { types: 'incident.status' })).toBe(false);
  expect(isShown(event, { stream: 'incident/2' })).toBe(false);
  expect([isShown(event, { actor: 'olga' }), isShown(event, { actor: 'user:7' })]).toEqual([true, true]);
  expect([isShown(event, { actor: 'anton' }), isShown(event, { correlation: 'c-2' })]).toEqual([false, false]);
});
