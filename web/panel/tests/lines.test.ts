import { expect, test } from 'vitest';

import { nextFound } from '../src/pages/run/find.ts';
import { type Answer, CHUNK_LINES, createLines, type Line } from '../src/pages/run/lines.ts';

/** A run that has printed so many lines as of a position, and a record of what was asked of it. */
function printed(total: number, seq = 10) {
  const run = { total, seq, asked: [] as (number | 'end')[], hold: undefined as Promise<void> | undefined };
  const load = async (from: number | 'end'): Promise<Answer> => {
    run.asked.push(from);
    const { total, seq, hold } = run;
    await hold;
    const first = from === 'end' ? Math.max(1, total - CHUNK_LINES + 1) : from;
    const count = Math.max(0, Math.min(CHUNK_LINES, total - first + 1));
    return { items: Array.from({ length: count }, (_, at) => line(first + at)), total, seq };
  };
  return { run, load };
}

function line(number: number, text = `line ${number}`): Line {
  return { id: `1.${number}`, number, at: '', step: 0, attempt: 1, stream: 'stdout', text };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

test('the last lines come first, and any others when they are looked at', async () => {
  const { run, load } = printed(100_000);
  const lines = createLines(load);
  expect(lines.total).toBeUndefined();
  await settled();
  expect([lines.total, lines.get(100_000)?.text, lines.get(1)]).toEqual([100_000, 'line 100000', undefined]);
  lines.want(40_990, 41_010);
  lines.want(40_990, 41_010);
  await settled();
  expect(run.asked).toEqual(['end', 40_501, 41_001]);
  expect([lines.get(40_990)?.text, lines.get(41_010)?.text]).toEqual(['line 40990', 'line 41010']);
  lines.want(40_990, 41_010);
  expect(run.asked).toHaveLength(3);
});

test('a link to a line begins there', async () => {
  const { run, load } = printed(100_000);
  const lines = createLines(load, 1234);
  await settled();
  expect([run.asked, lines.get(1234)?.text, lines.total]).toEqual([[1001], 'line 1234', 100_000]);
});

test('however much is looked at, what is kept has an end', async () => {
  const { load } = printed(100_000);
  const lines = createLines(load);
  for (let at = 1; at <= 100_000; at += CHUNK_LINES) {
    lines.want(at, at);
    await settled();
  }
  const kept = Array.from({ length: 100_000 }, (_, at) => lines.get(at + 1)).filter(Boolean).length;
  expect(kept).toBe(20_000);
  expect(lines.get(100_000)).toBeDefined();
});

test('lines that events tell are counted once, whether they came before, while or after the answer', async () => {
  const { run, load } = printed(3, 10);
  let release = () => {};
  run.hold = new Promise((resolve) => (release = resolve));
  const lines = createLines(load);
  lines.added({ seq: 9, count: 1, lines: [line(0, 'in the answer')] });
  lines.added({ seq: 11, count: 2, lines: [line(0, 'four'), line(0, 'five')] });
  release();
  await settled();
  expect([lines.total, lines.get(3)?.text, lines.get(4)?.text, lines.get(5)?.text]).toEqual([
    5,
    'line 3',
    'four',
    'five',
  ]);
  lines.added({ seq: 11, count: 2 });
  expect(lines.total).toBe(5);
});

test('lines that an event does not carry are loaded, again and again while there are more', async () => {
  const { run, load } = printed(2, 10);
  const lines = createLines(load);
  await settled();
  [run.total, run.seq] = [400, 11];
  lines.added({ seq: 11, count: 398 });
  expect(lines.total).toBe(400);
  lines.want(380, 400);
  await settled();
  expect(lines.get(400)?.text).toBe('line 400');
  // An answer that is older than what was told does not take it back.
  lines.added({ seq: 12, count: 1, lines: [line(0, 'newest')] });
  lines.want(390, 401);
  await settled();
  expect([lines.total, lines.get(401)?.text]).toEqual([401, 'newest']);
});

test('lines that are gone are not asked for without end, and a failure ends until the next try', async () => {
  const { run, load } = printed(10);
  const lines = createLines(async (from) => {
    if (from !== 'end' && run.seq === 99) throw new Error('no answer');
    const answer = await load(from);
    return from === 'end' ? { ...answer, items: [] } : { ...answer, items: answer.items.slice(5) };
  });
  await settled();
  for (let look = 0; look < 3; look += 1) {
    lines.want(1, 10);
    await settled();
  }
  expect(run.asked).toEqual(['end', 1]);
  run.seq = 99;
  lines.added({ seq: 20, count: 1 });
  lines.want(1, 11);
  await settled();
  expect(lines.error).toBeInstanceOf(Error);
  run.seq = 100;
  lines.reset();
  await settled();
  expect([lines.error, lines.total]).toEqual([undefined, 10]);
});

test('what was found is gone through in a ring', () => {
  expect([nextFound([3, 7, 9], 7, 1), nextFound([3, 7, 9], 9, 1)]).toEqual([9, 3]);
  expect([nextFound([3, 7, 9], 7, -1), nextFound([3, 7, 9], 3, -1)]).toEqual([3, 9]);
  expect(nextFound([], 1, 1)).toBeUndefined();
});

test('while more is printed than can be loaded, what is newest here is known, and the end is loaded once at a time', async () => {
  const { run, load } = printed(100, 10);
  const lines = createLines(load);
  await settled();
  expect(lines.newest).toBe(100);
  lines.added({ seq: 11, count: 5000 });
  expect([lines.newest, lines.total]).toEqual([100, 5100]);
  [run.total, run.seq] = [5600, 12];
  await Promise.all([lines.wantEnd(), lines.wantEnd()]);
  lines.added({ seq: 12, count: 500 });
  expect([run.asked, lines.newest, lines.total]).toEqual([['end', 'end'], 5600, 5600]);
  // What cannot be had is not asked for again before there is more.
  lines.added({ seq: 13, count: 1 });
  await lines.wantEnd();
  await lines.wantEnd();
  expect(run.asked).toHaveLength(3);
});

test('who drags past many lines loads those where they stop', async () => {
  const { run, load } = printed(100_000);
  const lines = createLines(load);
  await settled();
  for (let at = 1; at <= 50_000; at += CHUNK_LINES) lines.want(at, at);
  expect(run.asked).toEqual(['end', 1, 501]);
  await settled();
  lines.want(49_900, 49_910);
  await settled();
  expect([run.asked.length, lines.get(49_900)?.text]).toEqual([4, 'line 49900']);
});
