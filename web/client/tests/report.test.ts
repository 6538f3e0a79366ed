// What a connection reports about itself, by a page whose frames are painted by hand.
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { EventOf } from '../src/index.ts';
import { type Report, createReporter, createServerReporter } from '../src/report.ts';
import { createStatus } from '../src/status.ts';
import { manualWorld } from './manual_world.ts';

let frames: Map<number, () => void>;
let page: EventTarget & { visibilityState: string };

beforeEach(() => {
  frames = new Map();
  let asked = 0;
  page = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  vi.stubGlobal('document', page);
  vi.stubGlobal('requestAnimationFrame', (call: () => void) => {
    asked += 1;
    frames.set(asked, call);
    return asked;
  });
  vi.stubGlobal('cancelAnimationFrame', (frame: number) => frames.delete(frame));
});
afterEach(() => void vi.unstubAllGlobals());

const look = (visibilityState: 'visible' | 'hidden') => {
  page.visibilityState = visibilityState;
  page.dispatchEvent(new Event('visibilitychange'));
};
const paint = async () => {
  for (const call of frames.values()) call();
  frames.clear();
  await new Promise((resolve) => setTimeout(resolve)); // behind what waits for the frame
};

test('the latency of an event ends when it is painted, and a page that is hidden has none', async () => {
  const world = manualWorld();
  const reports: Report[] = [];
  const reporter = createReporter((one) => reports.push(one), world.now);
  const latencies = () => reports.flatMap((one) => (one.kind === 'latency' ? [[one.seq, one.ms]] : []));
  const event = (seq: number) =>
    reporter.event({ seq, recorded_at: new Date(world.now()).toISOString() } as unknown as EventOf);
  reporter.status({ ...createStatus(world.now).value, state: 'live' });

  event(1);
  await world.advance(40);
  await paint();
  expect(latencies()).toEqual([[1, 40]]);

  await world.advance(2_000);
  event(2);
  look('hidden'); // before it is painted
  await world.advance(2_000);
  event(3);
  await world.advance(2_000);
  look('visible');
  await paint();
  expect(latencies()).toEqual([[1, 40]]);

  event(4);
  await world.advance(5);
  await paint();
  expect(latencies()).toEqual([
    [1, 40],
    [4, 5],
  ]);
});

test('the server is told every minute while the page is seen, when it is hidden, and at the end', async () => {
  const world = manualWorld();
  const sent: unknown[] = [];
  world.fetch = async (_url, init) => {
    sent.push(JSON.parse(String(init?.body)).uptimes);
    return new Response(null, { status: 204 });
  };
  const auth = { sign: async (init: RequestInit) => init, renew: async () => false };
  const reporter = createServerReporter({ base: '', filter: {}, auth, world });
  const { value } = createStatus(world.now);
  reporter.status({ ...value, state: 'live' });
  await world.advance(60_000);
  expect(sent.at(-1)).toEqual([{ state: 'live', ms: 60_000 }]);
  await world.advance(10_000);
  look('hidden');
  await turn();
  expect(sent.at(-1)).toEqual([{ state: 'live', ms: 10_000 }]);
  await world.advance(600_000);
  expect(sent).toHaveLength(2);
  look('visible');
  await world.advance(60_000);
  // What it was for while nobody looked is not lost.
  expect(sent.at(-1)).toMatchObject([{ state: 'live' }]);
  await world.advance(1_000);
  reporter.status({ ...value, state: 'off', since: world.now() });
  await turn();
  expect(sent).toHaveLength(4);
  const all = (sent as { ms: number }[][]).flat().reduce((sum, { ms }) => sum + ms, 0);
  expect(all).toBe(60_000 + 10_000 + 600_000 + 60_000 + 1_000);
});
