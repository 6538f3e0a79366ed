import { expect, test } from 'vitest';

import { backoff, retryAfter, untilProbe } from '../src/backoff.ts';

const ALMOST = 0.999_999;

test('waits are drawn from 0 to 1, 2, 4, 8, 16 and then always 30 s', () => {
  const most = [1, 2, 3, 4, 5, 6, 7, 100].map((attempt) => Math.ceil(backoff(attempt, ALMOST) / 1_000));
  expect(most).toEqual([1, 2, 4, 8, 16, 30, 30, 30]);
  expect(backoff(9, 0)).toBe(0);
});

test('no wait is shorter than Retry-After, and those who share one do not come back together', () => {
  for (const random of [0, 0.3, ALMOST]) {
    expect(backoff(1, random, 5_000)).toBeGreaterThanOrEqual(5_000);
    expect(untilProbe(random, 60_000)).toBeGreaterThanOrEqual(60_000);
  }
  expect(backoff(1, 0.1, 5_000)).not.toBe(backoff(1, 0.9, 5_000));
  expect(backoff(6, ALMOST, 5_000)).toBeGreaterThan(29_000);
});

test('the stream is probed every 15 to 30 s', () => {
  expect(untilProbe(0)).toBe(15_000);
  expect(Math.round(untilProbe(ALMOST))).toBe(30_000);
});

test('Retry-After is seconds or a date, and anything else is nothing', () => {
  const now = Date.parse('Sat, 21 Nov 2026 10:00:00 GMT');
  expect(retryAfter('7', now)).toBe(7_000);
  expect(retryAfter(' 7 ', now)).toBe(7_000);
  expect(retryAfter('Sat, 21 Nov 2026 10:00:30 GMT', now)).toBe(30_000);
  expect(retryAfter('Sat, 21 Nov 2026 09:00:00 GMT', now)).toBe(0);
  for (const nonsense of [null, '', 'soon', '-5', 'NaN']) expect(retryAfter(nonsense, now)).toBe(0);
  expect(retryAfter('99999999', now)).toBe(3_600_000);
});
