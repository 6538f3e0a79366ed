// Everything that can go wrong between a server and the client, by a server that does it.
import { afterEach, expect, test } from 'vitest';

import { type Connection, type ConnectOptions, type State, connect } from '../src/index.ts';
import {
  type Act,
  type Hostile,
  EPOCH,
  OPENING,
  bye,
  cut,
  event,
  hostile,
  mute,
  page,
  ready,
  refuse,
  stream,
  streamThenCut,
  streamThenEnd,
} from './hostile_server.ts';
import { type ManualWorld, manualWorld, until } from './manual_world.ts';

interface Scene {
  world: ManualWorld;
  server: Hostile;
  connection: Connection;
  /** What was told: each seq. */
  told: number[];
  /** The states it went through. */
  states: State[];
  errors: unknown[];
  /** How often bytes of a stream came. */
  readonly heard: number;
}

const scenes: Scene[] = [];

afterEach(async () => {
  for (const { connection, server } of scenes.splice(0)) {
    connection.close();
    await server.close();
  }
});

async function scene(streams: Act[], options: ConnectOptions & { pages?: Act[] } = {}): Promise<Scene> {
  const world = manualWorld();
  let heard = 0;
  world.fetch = async (...request) => counting(await fetch(...request), () => (heard += 1));
  const server = await hostile(streams, options.pages);
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const connection = connect({ url: server.url, token: 't', world, onError, from: { after: 40 }, ...options });
  const told: number[] = [];
  const states: State[] = [connection.status.state];
  connection.on('*', ({ seq }) => told.push(seq));
  connection.onStatus(({ state }) => state !== states.at(-1) && states.push(state));
  const one = {
    ...{ world, server, connection, told, states, errors },
    get heard() {
      return heard;
    },
  };
  scenes.push(one);
  return one;
}

/** The same answer; calls for each piece of its body that was read. */
function counting(response: Response, read: () => void): Response {
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, out) {
      out.enqueue(piece);
      setImmediate(read); // once it was taken
    },
  });
  return new Response(response.body?.pipeThrough(counted), response);
}

const live = ({ connection }: Scene) => until(() => connection.status.state === 'live', 'live');
const waiting = ({ connection }: Scene) => until(() => connection.status.retryAt !== undefined, 'a wait');

/** Lets the wait for the next attempt pass, and waits until the attempt is made. */
async function nextAttempt(it: Scene): Promise<void> {
  await waiting(it);
  const opened = it.server.opened.length;
  await it.world.advance((it.connection.status.retryAt ?? 0) - it.world.now());
  await until(() => it.server.opened.length > opened, 'the next attempt');
}

// ---- Resuming

test('it goes from connecting through replaying to live, and tells each event by type', async () => {
  const it = await scene([stream(OPENING, event(41), event(43, 'incident.created'))]);
  const created: number[] = [];
  it.connection.on('incident.created', ({ seq }) => created.push(seq));
  await until(() => it.told.length === 2);
  expect(it.connection.status.state).toBe('replaying');
  it.server.last.write(ready(50));
  await live(it);
  expect(it.states).toEqual(['connecting', 'replaying', 'live']);
  expect(it.told).toEqual([41, 43]);
  expect(created).toEqual([43]);
  expect(it.connection.cursor).toEqual({ after: 50, epoch: EPOCH });
  expect(it.server.opened[0]?.headers.authorization).toBe('Bearer t');
  expect(it.server.opened[0]?.url.searchParams.get('last_event_id')).toBe('40');
});

test('cut off in the middle of a frame, it resumes behind the last whole one', async () => {
  const it = await scene([
    streamThenCut(OPENING, event(41), event(42).slice(0, -1)),
    stream(OPENING, event(42), ready(42)),
  ]);
  await until(() => it.told.length === 1);
  await nextAttempt(it);
  await live(it);
  expect(it.told).toEqual([41, 42]);
  expect(it.server.opened[1]?.headers['last-event-id']).toBe('41');
});

test('a server that forgets the cursor and repeats everything is heard once', async () => {
  const it = await scene([
    streamThenCut(event(41), event(42)),
    stream(event(1), event(2), event(41), event(42), event(43), ready(43)),
  ]);
  await until(() => it.told.length === 2);
  await nextAttempt(it);
  await live(it);
  expect(it.told).toEqual([41, 42, 43]);
});

test('a bookmark moves the cursor over events that are for others', async () => {
  const it = await scene([streamThenCut(event(41), 'id: 1041\n\n'), stream(ready(1041))]);
  await until(() => it.connection.cursor.after === 1041);
  await nextAttempt(it);
  expect(it.server.opened[1]?.headers['last-event-id']).toBe('1041');
});

test('an id with NUL, or an empty one, does not lose the place', async () => {
  const it = await scene([streamThenCut(event(41), 'id: 9\0\n\n', 'id:\n\n'), stream(ready(41))]);
  await until(() => it.told.length === 1);
  await nextAttempt(it);
  expect(it.server.opened[1]?.headers['last-event-id']).toBe('41');
});

test('a frame that cannot be read is reported, and keeps nothing else from being told', async () => {
  const it = await scene([
    stream(event(41), 'id: 42\nevent: incident.created\ndata: {"seq":\n\n', event(43), ready(43)),
  ]);
  await live(it);
  expect(it.told).toEqual([41, 43]);
  expect(String(it.errors[0])).toContain('incident.created 42');
});

test('frames and fields of a later version are passed over', async () => {
  const it = await scene([stream('event: sparkle\ndata: {"a":1}\nnew: field\n\n', event(41), ready(41))]);
  await live(it);
  expect(it.told).toEqual([41]);
});

test('a handler that throws, or rejects, keeps the event from nobody', async () => {
  const it = await scene([mute]);
  const after: number[] = [];
  it.connection.on('*', () => {
    throw new Error('thrown');
  });
  it.connection.on('incident.*', () => Promise.reject(new Error('rejected')));
  it.connection.on('incident.commented', ({ seq }) => after.push(seq));
  await until(() => it.server.opened.length === 1);
  stream(event(41), event(42), ready(42))(it.server.last, {} as never, {} as never);
  await live(it);
  expect(after).toEqual([41, 42]);
  expect(it.errors.map(String).sort()).toEqual([
    'Error: rejected',
    'Error: rejected',
    'Error: thrown',
    'Error: thrown',
  ]);
});

// ---- Waiting

test('failures wait 1, 2, 4, 8, 16, 30 s at most, drawn anew each time', async () => {
  const it = await scene([cut], { pollAfter: false });
  it.world.luck = 0.999;
  const waits: number[] = [];
  for (let i = 0; i < 7; i += 1) {
    await waiting(it);
    waits.push(Math.ceil(((it.connection.status.retryAt ?? 0) - it.world.now()) / 1_000));
    await nextAttempt(it);
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30]);
});

test('Retry-After is a floor that waking up does not undercut', async () => {
  const it = await scene([refuse(503, 'too_many_at_once', { retryAfter: '5' }), stream(ready(40))]);
  await waiting(it);
  expect((it.connection.status.retryAt ?? 0) - it.world.now()).toBeGreaterThanOrEqual(5_000);
  it.world.nudge('woke');
  await it.world.advance(4_900);
  expect(it.server.opened).toHaveLength(1);
  await it.world.advance(200);
  await until(() => it.server.opened.length === 2);
});

test('waking up, or being online again, tries at once', async () => {
  const it = await scene([cut, cut, cut, stream(ready(40))], { pollAfter: false });
  it.world.luck = 0.999;
  for (const nudge of ['woke', 'online', 'woke'] as const) {
    await waiting(it);
    const opened = it.server.opened.length;
    it.world.nudge(nudge);
    await until(() => it.server.opened.length > opened);
  }
  await live(it);
  expect(it.server.opened).toHaveLength(4);
});

test('earlier failures are forgotten only after the stream has been healthy for a while', async () => {
  const it = await scene([cut, cut, stream(ready(40)), stream(ready(40)), stream(ready(40))], { pollAfter: false });
  it.world.luck = 0.999;
  await nextAttempt(it);
  await nextAttempt(it);
  await live(it);
  await it.world.advance(1_000);
  it.server.last.end();
  await waiting(it);
  expect((it.connection.status.retryAt ?? 0) - it.world.now()).toBeGreaterThan(3_000); // the third wait
  await nextAttempt(it);
  await live(it);
  await it.world.advance(10_000);
  it.server.last.end();
  await waiting(it);
  expect((it.connection.status.retryAt ?? 0) - it.world.now()).toBeLessThan(1_000); // the first
});

// ---- Silence

test('60 s without a byte end a stream; a comment every 15 s keeps it', async () => {
  const it = await scene([stream(OPENING, ready(40)), stream(ready(40))]);
  await live(it);
  for (let i = 0; i < 8; i += 1) {
    await it.world.advance(15_000);
    const heard = it.heard;
    it.server.last.write(':\n\n');
    await until(() => it.heard > heard);
  }
  expect(it.connection.status.state).toBe('live');
  await it.world.advance(60_000);
  await waiting(it);
  expect(it.connection.status.reason).toBe('silent');
  await until(() => it.server.live === 0, 'the silent connection is closed');
});

test('a server that takes the request and says nothing is given up after 15 s', async () => {
  const it = await scene([mute, stream(ready(40))]);
  await until(() => it.server.opened.length === 1);
  await it.world.advance(15_000);
  await nextAttempt(it);
  await live(it);
});

test('a proxy that holds the bytes back is given up after 15 s, and polled around', async () => {
  const it = await scene([stream()], { pages: [page([41, 42]), page([43]), page([], { wait: true, head: 43 })] });
  for (let i = 0; i < 3; i += 1) {
    await until(() => it.server.opened.length === i + 1);
    await it.world.advance(15_000);
    if (i < 2) await nextAttempt(it);
  }
  await until(() => it.connection.status.state === 'polling');
  await until(() => it.told.length === 3);
  expect(it.told).toEqual([41, 42, 43]);
});

test('after a sleep, a stream that says nothing within 20 s is given up', async () => {
  const it = await scene([stream(ready(40)), stream(ready(40))]);
  await live(it);
  await it.world.advance(5_000);
  it.world.nudge('woke');
  await it.world.advance(15_000); // 20 s after the last byte
  await waiting(it);
  expect(it.connection.status.reason).toBe('silent');
});

// ---- Farewells

test('after a farewell it comes back when it was asked to, not sooner', async () => {
  const it = await scene([stream(ready(40), bye('shutdown', 3_000)), stream(ready(40))]);
  await waiting(it);
  expect(it.connection.status.reason).toBe('shutdown');
  await it.world.advance(2_900);
  expect(it.server.opened).toHaveLength(1);
  await it.world.advance(1_000);
  await live(it);
});

test('a revoked session is the end, and nothing is asked for after it', async () => {
  const it = await scene([stream(ready(40), bye('revoked', 2_000, false))]);
  await until(() => it.connection.status.state === 'off');
  expect(it.connection.status.reason).toBe('revoked');
  await it.world.advance(120_000);
  expect(it.server.opened).toHaveLength(1);
  expect(it.server.polled).toHaveLength(0);
});

test('an expired token is renewed and the stream resumed at once', async () => {
  const asked: boolean[] = [];
  const token = async (expired: boolean) => {
    asked.push(expired);
    return expired ? 'second' : 'first';
  };
  const it = await scene([mute, stream(ready(41))], { token });
  await until(() => it.server.opened.length === 1);
  stream(event(41), ready(41))(it.server.last, {} as never, {} as never);
  await live(it);
  await it.world.advance(30_000);
  it.server.last.write(bye('token_expired'));
  await until(() => it.server.opened.length === 2);
  await live(it);
  expect(asked).toEqual([false, true]);
  expect(it.server.opened[1]?.headers).toMatchObject({ authorization: 'Bearer second', 'last-event-id': '41' });
  expect(it.told).toEqual([41]);
});

test('tokens that are refused again and again end it', async () => {
  const it = await scene([refuse(401, 'unauthorized')], { token: () => 'worthless' });
  for (let i = 0; i < 20 && it.connection.status.state !== 'off'; i += 1) {
    await it.world.advance(1_000);
    await until(() => it.connection.status.state === 'off' || it.world.due.length > 0);
  }
  expect(it.connection.status).toMatchObject({ state: 'off', reason: 'signed_out' });
  expect(it.server.opened.length).toBeLessThanOrEqual(3);
});

test('a renewal that fails is tried again: a network that is away signs nobody out', async () => {
  let renewals = 0;
  const token = (expired: boolean) => {
    if (expired && (renewals += 1) < 3) throw new Error('no network');
    return expired ? 'second' : 'first';
  };
  const no = refuse(401, 'unauthorized');
  const it = await scene([no, no, no, stream(ready(40))], { token });
  await nextAttempt(it);
  await nextAttempt(it);
  await live(it); // with the new token at once
  expect(renewals).toBe(3);
  expect(it.server.opened.at(-1)?.headers.authorization).toBe('Bearer second');
});

// ---- Another history

test('a reset tells, and goes on from where the stream goes on', async () => {
  const reset = 'id: 7\nevent: reset\ndata: {"reason":"future","seq":7,"epoch":"other"}\n\n';
  const it = await scene([mute]);
  const resets: unknown[] = [];
  it.connection.onReset((one) => resets.push(one));
  await until(() => it.server.opened.length === 1);
  stream(reset, event(8), ready(8, 'other'))(it.server.last, {} as never, {} as never);
  await live(it);
  expect(resets).toEqual([{ reason: 'future', cursor: { after: 7, epoch: 'other' } }]);
  expect(it.told).toEqual([8]);
  expect(it.connection.cursor).toEqual({ after: 8, epoch: 'other' });
});

test('after a reset the state is loaded again, and events that it contains are not told', async () => {
  const reset = 'id: 7\nevent: reset\ndata: {"reason":"epoch","seq":7,"epoch":"other"}\n\n';
  const cursors = [
    { after: 40, epoch: EPOCH },
    { after: 9, epoch: 'other' },
  ];
  const why: string[] = [];
  const load = async (reason: 'first' | 'reset') => {
    why.push(reason);
    const cursor = cursors.shift();
    if (!cursor) throw new Error('loaded too often');
    return cursor;
  };
  const it = await scene([stream(event(41), reset, event(8)), stream(event(10), ready(10, 'other'))], { load });
  await live(it);
  expect(why).toEqual(['first', 'reset']);
  expect(it.told).toEqual([41, 10]);
  expect(it.server.opened[1]?.url.searchParams.get('epoch')).toBe('other');
});

test('a load that fails is tried again before anything is followed', async () => {
  let loads = 0;
  const load = async () => {
    loads += 1;
    if (loads < 3) throw new Error('not yet');
    return { after: 41 };
  };
  const it = await scene([stream(event(42), ready(42))], { load });
  for (let i = 0; i < 2; i += 1) {
    await until(() => loads === i + 1);
    await waiting(it);
    expect(it.server.opened).toHaveLength(0);
    await it.world.advance((it.connection.status.retryAt ?? 0) - it.world.now());
  }
  await live(it);
  expect(it.told).toEqual([42]);
});

// ---- Degradation

test('critical events ahead of their turn are told then, and not again', async () => {
  const early = (seq: number) => event(seq, 'incident.created').replace(/^id: .*\n/, '');
  const level = (name: string) => `event: level\ndata: {"level":"${name}"}\n\n`;
  const it = await scene([
    stream(ready(40), level('essential_only'), early(43), early(43), level('normal'), event(41), event(42)),
  ]);
  await until(() => it.told.length === 3);
  it.server.last.write(event(43, 'incident.created') + event(44));
  await until(() => it.told.length >= 4);
  expect(it.told).toEqual([43, 41, 42, 44]);
});

test('cut off during degradation, it resumes from its turn, not from what came early', async () => {
  const early = event(60, 'incident.created').replace(/^id: .*\n/, '');
  const it = await scene([streamThenCut(ready(40), early), stream(event(41), event(60), ready(60))]);
  await until(() => it.told.length === 1);
  await nextAttempt(it);
  await live(it);
  expect(it.server.opened[1]?.headers['last-event-id']).toBe('40');
  expect(it.told).toEqual([60, 41]);
});

// ---- Polling

test('after three failures it polls on the same cursor, keeps probing, and goes back by itself', async () => {
  const it = await scene([cut, cut, cut, cut, stream(event(43), event(44), ready(44))], {
    pages: [page([41, 42]), page([43], { head: 43 }), page([], { wait: true, head: 43 })],
  });
  it.world.luck = 0.1; // probes 16.5 s apart: sooner than this server's polls, which never end, are given up
  await nextAttempt(it);
  await nextAttempt(it);
  expect(it.server.polled).toHaveLength(0);
  await until(() => it.connection.status.state === 'polling');
  await until(() => it.told.length === 3);
  await nextAttempt(it);
  await waiting(it);
  expect(it.connection.status.state).toBe('polling');
  await nextAttempt(it);
  await live(it);
  expect(it.told).toEqual([41, 42, 43, 44]);
  expect(it.states.filter((state) => state === 'live' || state === 'polling')).toEqual(['polling', 'live']);
});

test('the number of failures is a setting', async () => {
  const it = await scene([cut], { pollAfter: 1, pages: [page([41]), page([], { wait: true, head: 41 })] });
  await until(() => it.connection.status.state === 'polling');
  expect(it.server.opened).toHaveLength(1);
});

test('three short closes of streams that work do not condemn it to polling', async () => {
  const it = await scene([
    streamThenEnd(event(41), ready(41)),
    streamThenEnd(ready(41)),
    streamThenEnd(event(42)),
    streamThenEnd(ready(42)),
    stream(ready(42)),
  ]);
  for (let i = 0; i < 4; i += 1) await nextAttempt(it);
  await live(it);
  expect(it.states).not.toContain('polling');
  expect(it.server.polled).toHaveLength(0);
  expect(it.told).toEqual([41, 42]);
});

test('switched off, it polls at once; probing waits as long as it was told to', async () => {
  const it = await scene(
    [
      stream(ready(40), bye('disabled', 12_000)),
      refuse(503, 'streams_disabled', { retryAfter: '20', allowed: ['polling'] }),
      stream(ready(41)),
    ],
    { pages: [page([41]), page([], { wait: true, head: 41 })] },
  );
  await until(() => it.connection.status.state === 'polling');
  await until(() => it.told.length === 1);
  await it.world.advance(11_900);
  expect(it.server.opened).toHaveLength(1);
  await nextAttempt(it);
  await waiting(it);
  expect(it.connection.status).toMatchObject({ state: 'polling', reason: 'streams_disabled' });
  expect((it.connection.status.retryAt ?? 0) - it.world.now()).toBeGreaterThanOrEqual(20_000);
  await nextAttempt(it);
  await live(it);
});

test('a page of a captive portal is no stream, and no page of events either', async () => {
  const portal: Act = (response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<h1>Please sign in to the Wi-Fi</h1>');
  };
  const it = await scene([portal], { pollAfter: 1, pages: [portal, page([41]), page([], { wait: true, head: 41 })] });
  await until(() => it.server.polled.length === 1);
  await it.world.advance(0);
  expect(it.connection.status.state).toBe('connecting');
  await until(() => it.world.due.some((ms) => ms <= 1_000));
  await it.world.advance(1_000);
  await until(() => it.told.length === 1);
  expect(it.connection.status.state).toBe('polling');
});

test('a proxy that answers polls at once with nothing is not asked more than once a second', async () => {
  const it = await scene([cut], { pollAfter: 1, pages: [page([], { head: 40 })] });
  await until(() => it.connection.status.state === 'polling');
  await it.world.advance(10_000);
  await until(() => it.server.polled.length >= 2);
  expect(it.server.polled.length).toBeLessThanOrEqual(12);
});

test('a poll whose cursor is gone tells so, and goes on from the end of the log', async () => {
  const it = await scene([cut], {
    pollAfter: 1,
    pages: [refuse(410, 'cursor_gone'), page([], { head: 7 }), page([8]), page([], { wait: true, head: 8 })],
  });
  const resets: unknown[] = [];
  it.connection.onReset((one) => resets.push(one));
  await until(() => it.told.length === 1);
  expect(resets).toEqual([{ reason: 'gone', cursor: { after: 7, epoch: EPOCH } }]);
  expect(it.told).toEqual([8]);
});

test('polling and a stream at once tell each event once', async () => {
  const it = await scene([cut, mute], { pollAfter: 1, pages: [page([41]), mute] });
  await until(() => it.told.length === 1);
  await nextAttempt(it);
  stream(OPENING, event(42), event(43))(it.server.last, {} as never, {} as never);
  await until(() => it.told.length === 3);
  expect(it.connection.status.state).toBe('polling');
  it.server.last.write(ready(43));
  await live(it);
  await until(() => it.server.waiting === 0, 'the poll is given up');
  expect(it.told).toEqual([41, 42, 43]);
});

// ---- The network of the machine

test('without a network it says offline, and live again with the first byte', async () => {
  const it = await scene([stream(ready(40)), stream(ready(40))]);
  await live(it);
  it.world.nudge('offline');
  expect(it.connection.status.state).toBe('offline');
  it.server.last.write(event(41));
  await live(it);
  it.world.nudge('offline');
  it.server.last.destroy();
  await waiting(it);
  expect(it.connection.status.state).toBe('offline');
  it.world.nudge('online');
  await live(it);
});

test('closed, it leaves no connection, no timer and no request behind', async () => {
  const it = await scene([stream(ready(40))]);
  await live(it);
  it.connection.close();
  await until(() => it.server.live === 0);
  await it.world.advance(120_000);
  expect(it.world.due).toEqual([]);
  expect(it.server.opened).toHaveLength(1);
  expect(it.connection.status).toMatchObject({ state: 'off', reason: 'closed' });
});

test('what cannot be asked for is said and not repeated', async () => {
  const it = await scene([refuse(400, 'unknown_event_type')], { types: ['incident.wat'] });
  await until(() => it.connection.status.state === 'off');
  expect(it.connection.status).toMatchObject({ reason: 'bad_request', detail: 'no: unknown_event_type' });
  expect(it.server.opened[0]?.url.searchParams.get('types')).toBe('incident.wat');
});

test('a one-time stream id is taken anew for each attempt', async () => {
  let ids = 0;
  const ticket = async () => `ticket-${(ids += 1)}`;
  const it = await scene([streamThenCut(event(41)), stream(ready(41))], { ticket });
  await nextAttempt(it);
  await live(it);
  expect(it.server.opened.map(({ url }) => url.pathname)).toEqual([
    '/api/v1/events/stream/ticket-1',
    '/api/v1/events/stream/ticket-2',
  ]);
  expect(it.server.opened[0]?.headers.authorization).toBeUndefined();
});

test('it reports fallbacks, times and the latency of live events', async () => {
  const reports: { kind: string }[] = [];
  const it = await scene([cut, stream(ready(40))], {
    pollAfter: 1,
    pages: [mute],
    report: (one) => reports.push(one),
  });
  it.server.pages = [page([], { wait: true, head: 40 }), mute];
  await waiting(it);
  await nextAttempt(it);
  await live(it);
  it.server.last.write(event(41));
  await until(() => reports.some(({ kind }) => kind === 'latency'));
  expect(reports.find(({ kind }) => kind === 'latency')).toMatchObject({ seq: 41 });
  expect(reports.some(({ kind }) => kind === 'uptime')).toBe(true);
});
