import { expect, test } from 'vitest';

import { differences } from '../src/pages/log/differences.ts';
import { exportLink, isOpenEnded, readLogFilter, wanted } from '../src/pages/log/filter.ts';
import { local } from '../src/pages/log/filters.tsx';
import { parseSearch } from '../src/shell/search.ts';

test('what differs is told, and what is nothing before and after is not', () => {
  const before = { id: 1, roles: ['viewer'], email: null, labels: {}, version: 1 };
  const after = { id: 1, roles: [], email: 'o@example.org', labels: {}, name: '', version: 2 };
  expect(differences(before, after)).toEqual([
    { field: 'roles', old: 'viewer', now: '–' },
    { field: 'email', old: '–', now: 'o@example.org' },
  ]);
  expect(differences(undefined, { on: false, at: { x: 1 } })).toEqual([
    { field: 'on', old: '–', now: 'false' },
    { field: 'at', old: '–', now: '{"x":1}' },
  ]);
});

test('a file has what the list shows, and no event of the list’s end on', () => {
  const filter = readLogFilter(parseSearch('?types=user.*&actor=olga%20o&until=2026-11-21T10:00:00Z&before=42&seq=7'));
  expect(wanted(filter)).toEqual({ types: 'user.*', actor: 'olga o', before: '2026-11-21T10:00:00Z', to_seq: 41 });
  const link = new URL(exportLink(filter, 'csv'), 'http://x');
  expect(Object.fromEntries(link.searchParams)).toEqual({
    format: 'csv',
    types: 'user.*',
    actor: 'olga o',
    before: '2026-11-21T10:00:00Z',
    to_seq: '41',
  });
});

test('what happens now belongs to a log without an end', () => {
  expect([{}, { since: '2026-01-01' }, { until: '2026-01-01' }, { before: 4 }].map(isOpenEnded)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test('a time in the address is shown in the zone of who looks, and goes back to what it was', () => {
  const shown = local('2026-11-21T10:05:00.000Z');
  expect(new Date(shown ?? '').toISOString()).toBe('2026-11-21T10:05:00.000Z');
  expect([local(undefined), local('never')]).toEqual([undefined, undefined]);
});
