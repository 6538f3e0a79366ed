// One stream for all tabs, in Chromium, against the signalbox program.
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { type Server, startServer } from '../scripts/server.mjs';
import { createApi } from '../src/api.ts';
import { bundle, launch, open, signIn } from './chromium.ts';

let server: Server;
let browser: Browser;
let script: string;
let api: ReturnType<typeof createApi>;
let context: BrowserContext;

beforeAll(async () => {
  script = await bundle("export * from '../src/index.ts'", 'signalbox');
  [server, browser] = await Promise.all([startServer(), launch()]);
  api = createApi({ url: server.url, token: (await server.login()).access_token });
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

beforeEach(async () => {
  context = await browser.newContext({ bypassCSP: true });
  await signIn(context, server.url, server.password);
});

afterEach(() => context.close());

/** A tab that follows incidents, sharing one stream. */
async function tab(...before: string[]): Promise<Page> {
  const page = await open(context, server.url, [...before, script]);
  await page.evaluate(() => {
    globalThis.told = [];
    const { connect, oneStream } = globalThis.signalbox;
    globalThis.connection = connect({ types: ['incident.created'], share: oneStream({ user: 'admin' }) });
    globalThis.connection.on('*', ({ seq }) => globalThis.told.push(seq));
  });
  await live(page);
  return page;
}

/** Three times as fast: 20 s of silence pass in 7, and 60 are still longer than the server's 15 between two words. */
const HASTE = `{
  const [now, timeout, began] = [Date.now, setTimeout, Date.now()];
  Date.now = () => began + 3 * (now() - began);
  globalThis.setTimeout = (call, ms, ...rest) => timeout(call, ms / 3, ...rest);
}`;

const live = (page: Page) => page.waitForFunction(() => globalThis.connection.status.state === 'live');
const leads = (page: Page) => page.evaluate(() => globalThis.connection.status.leads);
const heard = (page: Page) => page.evaluate(() => globalThis.told);
const hears = (page: Page, seq: number) => page.waitForFunction((one) => globalThis.told.at(-1) === one, seq);

/** Reports incidents; gives their places in the log. */
async function report(count: number): Promise<number[]> {
  const seqs: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const { response } = await api.POST('/api/v1/incidents', { body: { title: `incident ${i}`, severity: 'P4' } });
    seqs.push(Number(response.headers.get('signalbox-seq')));
  }
  return seqs;
}

async function streams(): Promise<number> {
  const { data } = await api.GET('/api/v1/system/streams');
  return data?.items.length ?? -1;
}

async function oneLeader(pages: Page[]): Promise<Page> {
  for (;;) {
    for (const page of pages) if (await leads(page)) return page;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('four tabs have one stream; its tab closes, and the others lose and repeat nothing', async () => {
  const pages = [await tab(), await tab(), await tab(), await tab()];
  expect(await streams()).toBe(1);
  const before = await report(5);
  for (const page of pages) await hears(page, before.at(-1) ?? 0);
  const leader = await oneLeader(pages);
  const rest = pages.filter((page) => page !== leader);
  // In the midst of it: some of these are told by the old leader, some by the new one.
  const [during] = await Promise.all([report(20), leader.close()]);
  for (const page of rest) await hears(page, during.at(-1) ?? 0);
  for (const page of rest) expect(await heard(page)).toEqual([...before, ...during]);
  await oneLeader(rest);
  for (const page of rest) await live(page);
  expect(await streams()).toBe(1);
});

test('a tab that does not answer loses the stream, and reads what it missed when it wakes', async () => {
  const pages = [await tab(HASTE), await tab(HASTE)];
  const leader = await oneLeader(pages);
  const other = pages.find((page) => page !== leader) as Page;
  const devtools = await context.newCDPSession(leader);
  await devtools.send('Debugger.enable');
  await devtools.send('Debugger.pause'); // nothing runs in it any more; the lock is still its own
  const [seq] = await report(1);
  await other.waitForFunction(() => globalThis.connection.status.leads);
  await live(other);
  const missed = [seq, ...(await report(4))];
  await hears(other, missed.at(-1) ?? 0);
  await devtools.send('Debugger.disable');
  await hears(leader, missed.at(-1) ?? 0);
  for (const page of pages) expect(await heard(page)).toEqual(missed);
  await leader.waitForFunction(() => !globalThis.connection.status.leads);
  expect(await streams()).toBe(1);
});

test('a browser without a network says so, and misses nothing when it is back', async () => {
  const page = await tab();
  await context.setOffline(true);
  await page.waitForFunction(() => globalThis.connection.status.state === 'offline');
  const missed = await report(3);
  await context.setOffline(false);
  await hears(page, missed.at(-1) ?? 0);
  expect(await heard(page)).toEqual(missed);
});
