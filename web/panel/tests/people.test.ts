import { expect, test } from 'vitest';

import { wordsOf } from '../src/api.ts';
import { invitationLink } from '../src/pages/users/invitation.tsx';
import { modules } from '../src/pages/users/permissions.tsx';
import { userRules } from '../src/pages/users/query.ts';
import { mayGive } from '../src/pages/users/role_choice.tsx';
import { lost } from '../src/session/rights.ts';
import { CommandRefused } from '@signalbox/client/react';

test('permissions stand by module, and reading before writing before all else', () => {
  expect(modules(['automations.approve', 'automations.read', 'incidents.write', 'incidents.read', 'x.run'])).toEqual([
    { name: 'automations', actions: ['read', 'approve'] },
    { name: 'incidents', actions: ['read', 'write'] },
    { name: 'x', actions: ['run'] },
  ]);
});

test('an invitation’s secret is behind the #, which no server sees', () => {
  const link = new URL(invitationLink('https://box.example', 'o+l@ga', 'sbi_a-b_c'));
  expect([link.pathname, link.searchParams.get('user'), link.hash]).toEqual(['/invitation', 'o+l@ga', '#sbi_a-b_c']);
});

test('nobody gives a role with a permission that they lack', () => {
  const role = (permissions: string[]) => ({ name: 'r', description: '', permissions, built_in: false, version: 1 });
  expect(mayGive(role(['a.read']), ['a.read', 'a.write'])).toBe(true);
  expect(mayGive(role(['a.read', 'b.read']), ['a.read'])).toBe(false);
  expect(mayGive(role([]), [])).toBe(true);
});

test('what is lost is what was there and is not any more', () => {
  expect(lost(['a', 'b'], ['b', 'c'])).toEqual(['a']);
  expect(lost([], ['a'])).toEqual([]);
});

test('an event of users makes stale what it changed, and a guessed password nothing', () => {
  const [users, tokens, roles] = userRules;
  const stale = (rule: unknown, type: string, stream: string, data: object) =>
    (rule as { invalidate: (event: object) => unknown }).invalidate({ type, stream, data });
  expect(stale(users, 'user.disabled', 'user/7', {})).toEqual([['users'], ['user', '7']]);
  expect(stale(users, 'user.signed_in', 'session/1', { user: '7' })).toEqual([['user', '7', 'sessions'], ['users']]);
  expect(stale(users, 'user.signed_out', 'session/1', { user: '7' })).toEqual([['user', '7', 'sessions']]);
  expect(stale(users, 'user.sign_in.failed', 'system/sign-in', { username: 'x' })).toEqual([]);
  expect(stale(tokens, 'token.revoked', 'token/1', { user: '7' })).toEqual([['user', '7', 'tokens']]);
  expect(stale(roles, 'role.updated', 'role/1', {})).toEqual([['roles'], ['users'], ['user']]);
});

test('a refused input is told field by field', () => {
  const errors = [
    { pointer: '/username', message: 'has 1 to 64 characters' },
    { pointer: '/check/interval_s', message: 'is 10 or more' },
  ];
  const problem = { type: '', title: '', status: 422, code: 'invalid', detail: 'errors says why', errors };
  expect(wordsOf(new CommandRefused(problem))).toBe('Username has 1 to 64 characters. Check interval s is 10 or more.');
});
