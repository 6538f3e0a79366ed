import { expect, test } from 'vitest';

import type { EventOf } from '../src/event.ts';
import { createJournal } from '../src/journal.ts';
import { body } from './hostile_server.ts';

function journal(after?: number) {
  const told: number[] = [];
  const event = (seq: number) => body(seq) as unknown as EventOf;
  const it = createJournal({ after, epoch: 'e' }, ({ seq }) => told.push(seq));
  return { it, told, step: (from: number, seq: number) => it.take({ after: from, seq, event: event(seq) }) };
}

test('each event is told once, from however many sources it comes', () => {
  const { it, told, step } = journal(10);
  expect([step(10, 11), step(10, 11), step(11, 13), step(10, 13), step(13, 14)]).toEqual([
    'new',
    'known',
    'new',
    'known',
    'new',
  ]);
  expect(told).toEqual([11, 13, 14]);
  expect(it.cursor).toEqual({ after: 14, epoch: 'e' });
});

test('a step behind something missing is not taken', () => {
  const { it, told, step } = journal(10);
  expect(step(11, 12)).toBe('gap');
  expect(told).toEqual([]);
  expect(it.cursor.after).toBe(10);
});

test('an overlapping step is taken: what it covers was told', () => {
  const { told, step } = journal(10);
  expect(step(5, 12)).toBe('new');
  expect(told).toEqual([12]);
});

test('a reader without a place begins with the first step', () => {
  const { told, step } = journal();
  expect(step(41, 42)).toBe('new');
  expect(told).toEqual([42]);
});

test('an event that came early is not told again in its turn', () => {
  const { it, told, step } = journal(10);
  expect([it.early(12), it.early(12), it.early(10)]).toEqual([true, false, false]);
  step(10, 11);
  step(11, 12);
  step(12, 13);
  expect(told).toEqual([11, 13]);
});

test('in another history, places known before mean nothing', () => {
  const { it, told, step } = journal(10);
  it.early(3);
  it.moveTo({ after: 2, epoch: 'other' });
  expect(step(2, 3)).toBe('new');
  expect(told).toEqual([3]);
});
