import { CommandRefused } from '@signalbox/client/react';
import { expect, test } from 'vitest';

import { isFinal, wordsOf } from '../src/api.ts';
import { duration, length } from '../src/widgets/time.tsx';
import { whatOf } from '../src/widgets/what.ts';

test.each([
  [0, '0 s', '0 s'],
  [59.6, '59 s', '60 s'],
  [60, '1 min', '1 min'],
  [223, '3 min', '3 min 43 s'],
  [3599, '59 min', '59 min'],
  [5000, '1 h', '1 h 23 min'],
  [200_000, '2 d', '2 d 7 h'],
])('%d s are %s, or %s', (seconds, short, long) => {
  expect(length(seconds)).toBe(short);
  expect(duration(seconds)).toBe(long);
});

const refused = (status: number, more = {}) =>
  new CommandRefused({ type: '', title: '', status, code: 'c', detail: 'it is closed', ...more });

test('a refusal is told in the server’s words with what is possible, a conflict by what to do', () => {
  expect(wordsOf(refused(409, { allowed: ['reopen'] }))).toBe('It is closed. Possible now: reopen.');
  expect(wordsOf(refused(412))).toMatch(/Somebody else was faster/);
  expect(wordsOf(new TypeError('Failed to fetch'))).toMatch(/cannot be reached/);
  expect([isFinal(refused(409)), isFinal(refused(503)), isFinal(refused(429)), isFinal(new Error())]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

test('an event of a type that this version does not know says its facts', () => {
  const event = { type: 'rocket.launched', data: { to: 'Mars', crew: null, stages: [1, 2], lift_off: true } };
  expect(whatOf(event as never)).toBe('to Mars, stages [1,2], lift off true');
});

test.each([
  ['user.created', { username: 'olga', name: 'Olga', roles: ['viewer'] }, 'made olga, viewer'],
  ['user.roles.changed', { old: ['viewer'], new: [] }, 'changed roles from viewer to nothing'],
  ['user.disabled', { reason: 'she left' }, 'disabled: she left'],
  ['user.enabled', { reason: null }, 'enabled'],
  ['access.denied', { missing: 'users.read', operation: 'GET /x', user: '7' }, 'was refused GET /x: lacks users.read'],
  ['role.created', { name: 'desk', description: '', permissions: ['a', 'b'] }, 'name desk, permissions a, b'],
])('%s is told to people', (type, data, words) => {
  expect(whatOf({ type, data } as never)).toBe(words);
});
