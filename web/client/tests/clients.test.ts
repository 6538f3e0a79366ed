// The stream with clients that others wrote: each is cut off in the midst, and each gets every event once, in order.
import { type ChildProcess, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { EventSource as NodeEventSource } from 'eventsource';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { BINARY, type Server, startServer } from '../scripts/server.mjs';
import { createApi } from '../src/api.ts';
import { connect } from '../src/index.ts';
import { bundle, launch, open, signIn } from './chromium.ts';
import { cuttingProxy } from './cutting_proxy.ts';
import { until } from './manual_world.ts';

/** The Python of the API tests, which has what tests/requirements.txt names. */
const PYTHON = process.env.SIGNALBOX_PYTHON ?? join(dirname(BINARY), 'tests-python/bin/python');

let server: Server;
let browser: Browser;
let proxy: Awaited<ReturnType<typeof cuttingProxy>>;
let token: string;
let api: ReturnType<typeof createApi>;
/** Types of events; `EventSource` has to name what it listens to. */
let types: string[];
let url: string;
const endings: (() => unknown)[] = [];

beforeAll(async () => {
  const settings = { SIGNALBOX_STREAMS_PER_USER: '20' };
  [server, browser] = await Promise.all([startServer({ settings }), launch()]);
  proxy = await cuttingProxy(server.url);
  url = `${proxy.url}/api/v1/events/stream`;
  token = (await server.login()).access_token;
  api = createApi({ url: server.url, token });
  types = (await server.registry()).items.map(({ name }) => name);
});

afterAll(async () => {
  for (const end of endings) await end();
  await browser?.close();
  await proxy?.close();
  await server?.stop();
});

async function report(count: number): Promise<number> {
  let seq = 0;
  for (let i = 0; i < count; i += 1) {
    const { response } = await api.POST('/api/v1/incidents', { body: { title: `incident ${i}` } });
    seq = Number(response.headers.get('signalbox-seq'));
  }
  return seq;
}

/** What a client was told, as it goes on. */
type Follow = (told: number[]) => Promise<void>;

const CLIENTS: Record<string, Follow> = {
  'this client': async (told) => {
    const connection = connect({ url: proxy.url, token, from: { after: 0 } });
    connection.on('*', ({ seq }) => told.push(seq));
    endings.push(connection.close);
  },
  'EventSource of Chromium': async (told) => {
    const page = await browserPage(told);
    await page.evaluate((names) => {
      const source = new EventSource('/api/v1/events/stream?last_event_id=0');
      for (const name of names)
        source.addEventListener(name, ({ data }) => globalThis.told.push((JSON.parse(data) as { seq: number }).seq));
    }, types);
  },
  '@microsoft/fetch-event-source': async (told) => {
    const page = await browserPage(told);
    await page.evaluate(() => {
      void globalThis.microsoftFetch.fetchEventSource('/api/v1/events/stream', {
        headers: { 'last-event-id': '0' }, // in lower case, or it sends both this and its own
        openWhenHidden: true,
        onmessage({ event, data }) {
          if (event.includes('.')) globalThis.told.push((JSON.parse(data) as { seq: number }).seq);
        },
        onclose() {
          throw new Error('closed'); // it takes an end for the end
        },
      });
    });
  },
  'npm eventsource': async (told) => {
    const source = new NodeEventSource(`${url}?last_event_id=0`, {
      fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } }),
    });
    for (const name of types)
      source.addEventListener(name, ({ data }) => told.push((JSON.parse(String(data)) as { seq: number }).seq));
    endings.push(() => source.close());
  },
  'Python httpx-sse': async (told) => {
    const script = fileURLToPath(new URL('follow.py', import.meta.url));
    const child = lines(PYTHON, [script, url, token], (line) => told.push(Number(line)));
    endings.push(() => child.kill());
  },
  curl: async (told) => {
    let last = '0';
    let ended = false;
    let child: ChildProcess;
    const run = () => {
      const headers = ['-H', `Authorization: Bearer ${token}`, '-H', `Last-Event-ID: ${last}`];
      child = lines('curl', ['-sN', url, ...headers], (line) => {
        if (line.startsWith('id: ')) last = line.slice(4);
        if (/^event: .*\./.test(line)) told.push(Number(last));
      });
      child.on('exit', () => ended || setTimeout(run, 200));
    };
    run();
    endings.push(() => {
      ended = true;
      child.kill();
    });
  },
};

/** Runs a program and hears its lines. */
function lines(program: string, args: string[], heard: (line: string) => void): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  createInterface({ input: child.stdout }).on('line', heard);
  return child;
}

/** A page that is signed in, whose `told` this process hears. */
async function browserPage(told: number[]): Promise<Page> {
  const context = await browser.newContext({ bypassCSP: true });
  await signIn(context, proxy.url, server.password);
  const script = await bundle("export * from '@microsoft/fetch-event-source'", 'microsoftFetch');
  const page = await open(context, proxy.url, [script]);
  await page.exposeFunction('tell', (seq: number) => told.push(seq));
  await page.evaluate(() => {
    const tell = (globalThis as unknown as { tell(seq: number): void }).tell;
    globalThis.told = Object.assign([], { push: (seq: number) => (tell(seq), 0) });
  });
  endings.push(() => context.close());
  return page;
}

test('every client gets every event once, in order, though it is cut off on the way', async () => {
  const heard = new Map<string, number[]>();
  for (const [name, follow] of Object.entries(CLIENTS)) {
    const told: number[] = [];
    heard.set(name, told);
    await follow(told);
  }
  const all = (seq: number) => () => [...heard.values()].every((told) => (told.at(-1) ?? 0) >= seq);
  await until(all(await report(20)), 'everybody has heard the first half');
  // Cut while more happens, so that some of it is on the wire.
  const writing = report(40);
  await until(() => [...heard.values()].some((told) => told.length > 25), 'news on the wire');
  proxy.cut();
  const last = await writing;
  // A browser waits for as long as `retry:` says: 7 to 13 s.
  await until(all(last), `everybody has heard ${last}`).catch((error: unknown) => {
    throw new Error(JSON.stringify(Object.fromEntries([...heard].map(([name, told]) => [name, told.at(-1)]))), {
      cause: error,
    });
  });
  const expected = Array.from({ length: last }, (_one, index) => index + 1);
  for (const [name, told] of heard) expect(told, name).toEqual(expected);
}, 120_000);
