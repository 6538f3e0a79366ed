// Against the signalbox program itself, with a PostgreSQL of its own.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { eventTypes, GENERATED } from '../scripts/generated.mjs';
import { type Server, startServer } from '../scripts/server.mjs';
import { createApi } from '../src/api.ts';
import { type Connection, type ConnectOptions, type EventOf, connect, cursorOf } from '../src/index.ts';
import { until } from './manual_world.ts';

let server: Server;
let token: string;
const open: Connection[] = [];

beforeAll(async () => {
  // Tests follow each other closely, and a stream that was closed gives its place back a moment later.
  server = await startServer({ settings: { SIGNALBOX_STREAMS_PER_USER: '20' } });
  token = (await server.login()).access_token;
});

afterAll(async () => {
  for (const connection of open) connection.close();
  await server?.stop();
});

function follow(options: ConnectOptions = {}) {
  const events: EventOf[] = [];
  const connection = connect({ url: server.url, token, ...options });
  connection.on('*', (event) => events.push(event));
  open.push(connection);
  return { connection, events };
}

const api = () => createApi({ url: server.url, token });

async function report(title: string) {
  const { data, response } = await api().POST('/api/v1/incidents', { body: { title, severity: 'P3' } });
  if (!data) throw new Error(`cannot report an incident: ${response.status}`);
  return { incident: data, seq: Number(response.headers.get('signalbox-seq')) };
}

test('the types of events are those of the registry', async () => {
  const checkedIn = await readFile(new URL('events.ts', GENERATED), 'utf8');
  const same = checkedIn === (await eventTypes(await server.registry()));
  expect(same, 'src/generated/events.ts differs: `make openapi` writes it anew').toBe(true);
});

test('a list is loaded and followed from where it is true, with neither gap nor repeat', async () => {
  await report('before');
  let listed: string[] = [];
  const { connection, events } = follow({
    types: ['incident.created'],
    load: async () => {
      const { data, response } = await api().GET('/api/v1/incidents');
      listed = data?.items.map(({ title }) => title) ?? [];
      await report('between the list and the stream');
      return cursorOf(response);
    },
  });
  await until(() => connection.status.state === 'live');
  await report('after');
  await until(() => events.length === 2);
  expect(listed).toContain('before');
  expect(events.map((event) => event.type === 'incident.created' && event.data.title)).toEqual([
    'between the list and the stream',
    'after',
  ]);
});

test('polling tells the same events in the same order as the stream', async () => {
  const streamed = follow({ from: { after: 0 } });
  const polled = follow({
    from: { after: 0 },
    pollAfter: 1,
    world: { ...(await import('../src/world.ts')).outside, fetch: withoutStreams },
  });
  await until(() => streamed.connection.status.state === 'live');
  await until(() => polled.connection.status.state === 'polling');
  const { seq } = await report('for both');
  await until(() => streamed.events.at(-1)?.seq === seq && polled.events.at(-1)?.seq === seq);
  expect(polled.events).toEqual(streamed.events);
  expect(polled.events.map((event) => event.seq)).toEqual(polled.events.map((_event, index) => index + 1));
});

/** A proxy in between that lets everything through but streams. */
const withoutStreams: typeof fetch = async (request, init) =>
  String(request).includes('/events/stream') ? new Response('no', { status: 502 }) : fetch(request, init);

test('a one-time stream id opens a stream without any other right', async () => {
  const ticket = async () => {
    const { data } = await api().POST('/api/v1/events/connect');
    if (!data) throw new Error('no stream id');
    return data.stream_id;
  };
  const connection = connect({ url: server.url, ticket, from: { after: 0 } });
  open.push(connection);
  const events: EventOf[] = [];
  connection.on('incident.*', (event) => events.push(event));
  await until(() => connection.status.state === 'live');
  expect(events.length).toBeGreaterThan(0);
});

test('a filter that names no registered type ends it with what the server says', async () => {
  const { connection } = follow({ types: ['incident.wat'] });
  await until(() => connection.status.state === 'off');
  expect(connection.status.reason).toBe('bad_request');
  expect(connection.status.detail).toContain('not registered');
});

test('a cursor of another history is told, and followed on in this one', async () => {
  const resets: string[] = [];
  const { connection } = follow({ from: { after: 1, epoch: '00000000-0000-4000-8000-000000000000' } });
  connection.onReset(({ reason }) => resets.push(reason));
  await until(() => connection.status.state === 'live');
  expect(resets).toEqual(['epoch']);
  expect(connection.cursor.after).toBeGreaterThan(0);
});

test('switched off, it polls at once, misses nothing, and is live again after the switch', async () => {
  const { connection, events } = follow();
  await until(() => connection.status.state === 'live');
  const from = connection.cursor.after ?? 0;
  await api().POST('/api/v1/system/streams/disable', { body: { reason: 'a test' } });
  await until(() => connection.status.state === 'polling');
  const { seq } = await report('while switched off');
  await until(() => events.some((event) => event.seq === seq));
  await api().POST('/api/v1/system/streams/enable', { body: { reason: 'a test' } });
  await until(() => connection.status.state === 'live', 'live again', 40_000);
  const last = await report('switched on again');
  await until(() => events.at(-1)?.seq === last.seq);
  expect(events.map((event) => event.seq)).toEqual(
    Array.from({ length: last.seq - from }, (_one, index) => from + 1 + index),
  );
}, 60_000);

test('what a user may do is told when it changes, and not before', async () => {
  const permissions = ['incidents.read', 'logs.read'];
  await api().POST('/api/v1/roles', { body: { name: 'changing', permissions, description: '' } });
  const made = await api().POST('/api/v1/users', { body: { username: 'rita', name: 'Rita', roles: ['changing'] } });
  const password = 'only for this one run';
  await api().POST('/api/v1/auth/accept', { body: { invitation: made.data?.invitation ?? '', password } });
  const { data } = await api().POST('/api/v1/auth/login', { body: { username: 'rita', password } });
  const { connection, events } = follow({ token: data?.access_token ?? '' });
  await until(() => connection.status.state === 'live');
  expect(connection.status.scope).toBeUndefined();
  const change = { path: { role: 'changing' } };
  await api().PATCH('/api/v1/roles/{role}', { params: change, body: { permissions: ['logs.read'] } });
  await until(() => connection.status.scope === 'logs.read');
  await report('not for her');
  await api().PATCH('/api/v1/roles/{role}', { params: change, body: { permissions } });
  await until(() => connection.status.scope === 'incidents.read logs.read');
  const { seq } = await report('for her again');
  await until(() => events.length > 0);
  expect(events.map((event) => event.seq)).toEqual([seq]);
});

test('a server killed and started again costs its readers nothing but time', async () => {
  const { connection, events } = follow({ pollAfter: false }); // or it would be 15 s and more until a probe
  await until(() => connection.status.state === 'live');
  const from = connection.cursor.after ?? 0;
  await report('before the crash');
  await server.kill();
  await until(() => connection.status.state === 'connecting');
  await server.restart();
  const { seq } = await report('after the crash');
  await until(() => connection.status.state === 'live', 'live again', 40_000);
  await until(() => events.some((event) => event.seq === seq));
  expect(events.map((event) => event.seq).slice(0, seq - from)).toEqual(
    Array.from({ length: seq - from }, (_one, index) => from + 1 + index),
  );
}, 120_000);

test('what it reports to the server is counted there', async () => {
  const { connection, events } = follow({ report: 'server', types: ['incident.created'] });
  await until(() => connection.status.state === 'live');
  await report('to be painted');
  await until(() => events.length === 1);
  connection.close(); // the last report
  const line = async (name: string) => {
    const metrics = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    const text = await metrics.text();
    return Number(new RegExp(`^${name} ([0-9.e+-]+)$`, 'm').exec(text)?.[1]);
  };
  const seconds = 'signalbox_client_state_seconds_total\\{name="live"\\}';
  const painted = 'signalbox_client_commit_to_render_seconds_count';
  await vi.waitFor(async () => expect(await line(seconds)).toBeGreaterThan(0), { timeout: 10_000 });
  expect(await line(seconds)).toBeLessThan(60);
  expect(await line(painted)).toBe(1);
});
