// What the badge says, and what the list shows, while the server or its streams are held down.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { world } from './world.mjs';

/** Attempts that fail before it may poll are 1, 2 and 4 s apart; more of them show that it does not give up. */
const ATTEMPTS = 4;
/** Until the stream is tried again while polling: 30 s, or the server's 25 and a tenth. In ms. */
const PROBE_MS = 45_000;

let here;
before(async () => (here = await world()));
after(() => here?.stop());

const badge = (page, text) => page.locator('.badge', { hasText: text });

test('killed and held down it says Reconnecting, back without streams Polling, then Live, and the list is right', async () => {
  const { page, context, errors } = await here.open('/incidents');
  await here.report('Before');
  await page.getByRole('link', { name: 'Before' }).waitFor();
  await here.showsExactly(page);

  let failed = 0;
  const enough = new Promise((resolve) => {
    page.on('requestfailed', (request) => {
      if (request.url().includes('/events/stream') && (failed += 1) === ATTEMPTS) resolve();
    });
  });
  await here.server.kill();
  await badge(page, 'Reconnecting').waitFor();
  // Nothing answers, so it does not say that it polls, however often it tried. What was shown stays.
  await enough;
  assert.equal(await badge(page, 'Reconnecting').count(), 1);
  await page.getByRole('link', { name: 'Before' }).waitFor();

  await here.server.restart({ DISABLE_SSE_SYSTEM: 'true' });
  await here.report('Back without streams');
  await badge(page, 'Polling').waitFor({ timeout: PROBE_MS });
  await page.getByRole('link', { name: 'Back without streams' }).waitFor();
  await here.showsExactly(page);
  assert.equal(await here.streams('admin'), 0);

  await here.call('POST', '/system/streams/enable', { reason: 'all is well' });
  await badge(page, 'Live').waitFor({ timeout: PROBE_MS });
  await here.report('Live again');
  await page.getByRole('link', { name: 'Live again' }).waitFor();
  await here.showsExactly(page);
  assert.deepEqual([await here.streams('admin'), errors], [1, []]);
  await context.close();
});

test('with streams cut on their way it polls after three attempts, and is live when they come through', async () => {
  const attempts = [];
  const { page, context } = await here.open('/incidents', {
    prepare: (page) => page.route('**/events/stream*', (route) => (attempts.push(1), route.fulfill({ status: 502 }))),
    state: 'polling',
  });
  assert.ok(attempts.length >= 3, `${attempts.length} attempts`);
  await here.report('Told by asking');
  await page.getByRole('link', { name: 'Told by asking' }).waitFor();
  await here.showsExactly(page);
  await page.unroute('**/events/stream*');
  await badge(page, 'Live').waitFor({ timeout: PROBE_MS });
  await here.showsExactly(page);
  await context.close();
});
