// Tabs of one browser, each a connection of its own. tests/chromium.test.ts does the same with real tabs.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { type Connection, type ConnectOptions, connect, oneStream } from '../src/index.ts';
import { EPOCH, type Hostile, bye, event, hostile, page, ready, stream } from './hostile_server.ts';
import { lockManager } from './locks.ts';
import { type ManualWorld, manualWorld, until } from './manual_world.ts';

interface Tab {
  connection: Connection;
  told: number[];
  world: ManualWorld;
}

let locks: ReturnType<typeof lockManager>;
let server: Hostile;
let tabs: Tab[] = [];

beforeEach(async () => {
  locks = lockManager();
  vi.stubGlobal('navigator', { locks, onLine: true });
  server = await hostile([stream(ready(40))], [page([], { head: 40 })]);
});

afterEach(async () => {
  for (const { connection } of tabs) connection.close();
  tabs = [];
  await server.close();
  vi.unstubAllGlobals();
});

function tab(options: ConnectOptions = {}): Tab {
  const world = manualWorld();
  const share = oneStream({ user: 'ann' });
  const from = { after: 40, epoch: EPOCH };
  const connection = connect({ url: server.url, token: 't', world, from, share, ...options });
  const told: number[] = [];
  connection.on('*', ({ seq }) => told.push(seq));
  const one = { connection, told, world };
  tabs.push(one);
  return one;
}

const live = (...all: Tab[]) => until(() => all.every(({ connection }) => connection.status.state === 'live'), 'live');
const leads = ({ connection }: Tab) => connection.status.leads;

test('tabs of one user have one stream, and all are told the same', async () => {
  const all = [tab(), tab(), tab(), tab()];
  await live(...all);
  server.last.write(event(41) + event(42));
  await until(() => all.every(({ told }) => told.length === 2));
  expect(all.map(({ told }) => told)).toEqual([
    [41, 42],
    [41, 42],
    [41, 42],
    [41, 42],
  ]);
  expect(all.map(leads)).toEqual([true, false, false, false]);
  expect(server.opened).toHaveLength(1);
  expect(all[3]?.connection.cursor).toEqual({ after: 42, epoch: EPOCH });
});

test('tabs of different users share nothing', async () => {
  await live(tab(), tab({ share: oneStream({ user: 'bob' }) }));
  expect(server.live).toBe(2);
});

test('where there are no Web Locks, each tab has a stream of its own', async () => {
  vi.stubGlobal('navigator', { onLine: true });
  await live(tab(), tab());
  expect(server.live).toBe(2);
});

test('a tab that comes later reads what it missed from the log, then hears the rest', async () => {
  const first = tab();
  await live(first);
  server.last.write(event(41) + event(42));
  await until(() => first.told.length === 2);
  server.pages = [page([41, 42])];
  const late = tab();
  await until(() => late.told.length === 2);
  server.last.write(event(43));
  await until(() => late.told.length === 3);
  expect(late.told).toEqual([41, 42, 43]);
  expect(server.opened).toHaveLength(1);
});

test('when the leader closes, another tab resumes behind what it knows, and nothing is lost or repeated', async () => {
  const [first, second, third] = [tab(), tab(), tab()];
  await live(first, second, third);
  server.last.write(event(41));
  await until(() => third.told.length === 1);
  server.streams = [stream(event(42), ready(42))];
  first.connection.close();
  await until(() => third.told.length === 2 && second.told.length === 2);
  await live(second, third);
  expect(server.live).toBe(1);
  expect(server.opened).toHaveLength(2);
  expect(server.opened[1]?.url.searchParams.get('last_event_id')).toBe('41');
  expect([leads(second), leads(third)]).toEqual([true, false]);
  expect(first.connection.status.reason).toBe('closed');
  server.last.write(event(43));
  await until(() => third.told.length === 3);
  expect([second.told, third.told]).toEqual([
    [41, 42, 43],
    [41, 42, 43],
  ]);
});

test('a new leader that is ahead or behind makes nobody hear twice or miss anything', async () => {
  const [first, second] = [tab(), tab()];
  await live(first, second);
  server.last.write(event(41));
  await until(() => second.told.length === 1);
  // The second joins again from an older place, as a tab that was away does.
  second.connection.close();
  server.pages = [page([31, 35, 41])];
  const behind = tab({ from: { after: 30, epoch: EPOCH } });
  await until(() => behind.told.length === 3);
  server.streams = [stream(event(42), ready(42))];
  first.connection.close();
  await until(() => behind.told.length === 4);
  expect(behind.told).toEqual([31, 35, 41, 42]);
});

test('a leader that does not answer loses its place', async () => {
  const probe = tab();
  await live(probe);
  const name = locks.held[0] ?? '';
  probe.connection.close();
  await until(() => locks.held.length === 0);
  // A frozen tab: it holds the lock and says nothing.
  void locks.request(name, () => new Promise(() => {})).catch(() => {});
  const waiting = tab();
  await until(() => waiting.world.due.length > 0);
  await waiting.world.advance(19_000);
  expect(server.opened).toHaveLength(1);
  await waiting.world.advance(11_000);
  await live(waiting);
  expect(leads(waiting)).toBe(true);
});

test('a leader that answers, though its server says nothing, keeps its place', async () => {
  const [first, second] = [tab(), tab()];
  await live(first, second);
  for (let i = 0; i < 12; i += 1) {
    await second.world.advance(5_000);
    await new Promise((resolve) => setTimeout(resolve, 5)); // for the answer from the other tab
  }
  expect([leads(first), leads(second)]).toEqual([true, false]);
  expect(server.opened).toHaveLength(1);
});

test('the end of a session is the end for all its tabs', async () => {
  const all = [tab(), tab(), tab()];
  await live(...all);
  server.last.write(bye('revoked', 1_000, false));
  await until(() => all.every(({ connection }) => connection.status.state === 'off'));
  expect(all.map(({ connection }) => connection.status.reason)).toEqual(['revoked', 'revoked', 'revoked']);
  await until(() => server.live === 0);
  expect(locks.held).toEqual([]);
});

test('another history is told in every tab, and each loads its state again', async () => {
  const loads: string[] = [];
  const load = (name: string) => async (why: string) => {
    loads.push(`${name} ${why}`);
    return why === 'first' ? { after: 40, epoch: EPOCH } : { after: 7, epoch: 'other' };
  };
  const first = tab({ load: load('first') });
  const second = tab({ load: load('second') });
  await live(first, second);
  server.streams = [stream(ready(7, 'other'))];
  server.last.write('id: 7\nevent: reset\ndata: {"reason":"epoch","seq":7,"epoch":"other"}\n\n');
  await until(() => loads.length === 4 && server.opened.length === 2);
  await live(first, second);
  server.last.write(event(8));
  await until(() => first.told.length === 1 && second.told.length === 1);
  expect(loads.sort()).toEqual(['first first', 'first reset', 'second first', 'second reset']);
  expect([first.told, second.told]).toEqual([[8], [8]]);
});

test('critical events ahead of their turn reach every tab, once', async () => {
  const [first, second] = [tab(), tab()];
  await live(first, second);
  server.last.write(event(43).replace(/^id: .*\n/, ''));
  await until(() => second.told.length === 1);
  server.last.write(event(41) + event(42) + event(43) + event(44));
  await until(() => second.told.length === 4);
  expect([first.told, second.told]).toEqual([
    [43, 41, 42, 44],
    [43, 41, 42, 44],
  ]);
});

test('a tab whose handlers fail keeps nothing from the others', async () => {
  const [first, second] = [tab({ onError: () => {} }), tab()];
  first.connection.on('*', () => {
    throw new Error('broken');
  });
  await live(first, second);
  server.last.write(event(41));
  await until(() => second.told.length === 1 && first.told.length === 1);
});
