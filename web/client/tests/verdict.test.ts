import { expect, test } from 'vitest';

import type { End } from '../src/stream.ts';
import { verdict } from '../src/verdict.ts';

const bye = (reason: string, reconnect = true): End => ({ kind: 'bye', reason, reconnect, retry_ms: 2_000 });
const refused = (status: number, code: string, polling = false): End => ({
  kind: 'refused',
  status,
  code,
  detail: 'why',
  polling,
  floor_ms: 3_000,
});

const CASES: [sentence: string, end: End, verdict: object][] = [
  [
    'a stop of the process is come back from when it says',
    bye('shutdown'),
    { next: 'retry', floor_ms: 2_000, counts: false },
  ],
  ['a database that is away does not speak against streams', bye('unavailable'), { next: 'retry', counts: false }],
  ['an expired token is renewed', bye('token_expired'), { next: 'renew' }],
  ['switched off means polling at once', bye('disabled'), { next: 'poll', floor_ms: 2_000 }],
  ['so does a process that protects itself', bye('degraded'), { next: 'poll', floor_ms: 2_000 }],
  ['revoked is the end', bye('revoked', false), { next: 'stop', reason: 'revoked' }],
  ['a reason of a later version is judged by its `reconnect`', bye('upgraded'), { next: 'retry', counts: false }],
  ['streams not offered means polling', refused(409, 'streams_not_offered', true), { next: 'poll', floor_ms: 3_000 }],
  ['no place left means polling, not nothing', refused(429, 'too_many_streams'), { next: 'poll', floor_ms: 3_000 }],
  [
    'a queue at the door is waited in, not polled around',
    refused(503, 'too_many_at_once'),
    { next: 'retry', counts: false },
  ],
  ['a proxy that has no server counts', refused(502, ''), { next: 'retry', reason: 'status_502', counts: true }],
  ['a path that is not there counts', refused(404, 'not_found'), { next: 'retry', counts: true }],
  ['not signed in means a new token', refused(401, 'unauthorized'), { next: 'renew' }],
  ['what is forbidden is not asked for again', refused(403, 'forbidden'), { next: 'stop', reason: 'forbidden' }],
  ['a filter that is wrong stays wrong', refused(400, 'unknown_event_type'), { next: 'stop', reason: 'bad_request' }],
  ['no answer counts', { kind: 'unreachable', detail: '' }, { next: 'retry', counts: true }],
  ['silence counts', { kind: 'silent' }, { next: 'retry', counts: true }],
  ['an answer that is a page counts', { kind: 'no_stream', detail: '' }, { next: 'retry', counts: true }],
];

test.each(CASES)('%s', (_sentence, end, expected) => {
  expect(verdict(end, false)).toMatchObject(expected);
});

test('a stream that carried something and closed does not speak against streams', () => {
  for (const kind of ['closed', 'silent'] as const) expect(verdict({ kind }, true)).toMatchObject({ counts: false });
});
