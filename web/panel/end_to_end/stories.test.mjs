// What an operator sees, in a real browser, with a real server and its PostgreSQL.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { listed, until, world } from './world.mjs';

let here;
before(async () => (here = await world()));
after(() => here?.stop());

test('an incident made by the API appears without reload, and one that is resolved leaves', async () => {
  const { page, context, errors } = await here.open('/incidents');
  const incident = await here.report('Disk full on db-1', { severity: 'P1' });
  await page.getByRole('link', { name: 'Disk full on db-1' }).waitFor();
  await here.showsExactly(page);
  await here.call('POST', `/incidents/${incident.key}/status`, { to: 'resolved' });
  await page.getByRole('link', { name: 'Disk full on db-1' }).waitFor({ state: 'detached' });
  await here.showsExactly(page);
  assert.deepEqual(errors, []);
  await context.close();
});

test('rows do not move under the pointer: a pill says what waits', async () => {
  await here.report('First');
  const { page, context } = await here.open('/incidents');
  await page.getByRole('link', { name: 'First' }).hover();
  const before = await listed(page);
  await here.report('Second');
  const pill = page.getByRole('button', { name: '1 new' });
  await pill.waitFor();
  assert.deepEqual(await listed(page), before);
  await pill.click();
  await page.getByRole('link', { name: 'Second' }).waitFor();
  await context.close();
});

test('acknowledged by keyboard in one window, it is acknowledged in the other', async () => {
  const incident = await here.report('Queue grows');
  const [one, two] = [await here.open('/incidents'), await here.open(`/incidents/${incident.key}`)];
  await one.page.getByRole('link', { name: 'Queue grows' }).waitFor();
  await one.page.keyboard.press('j');
  await one.page.keyboard.press('e');
  await two.page.locator('.incident-head .chip[data-status=acknowledged]').waitFor();
  await two.page.getByText('moved it from triggered to acknowledged').waitFor();
  await until('the server says so too', async () => {
    const { status } = await here.call('GET', `/incidents/${incident.key}`);
    return status === 'acknowledged' || status;
  });
  await one.page.keyboard.press('Enter');
  await one.page.getByRole('heading', { name: 'Queue grows' }).waitFor();
  assert.deepEqual([...one.errors, ...two.errors], []);
  await one.context.close();
  await two.context.close();
});

test('a refused acknowledgement is taken back and says why', async () => {
  const incident = await here.report('Taken by another');
  const { page, context } = await here.open('/incidents');
  await page.getByRole('link', { name: 'Taken by another' }).waitFor();
  // The answer is held until somebody else was faster.
  await page.route('**/status', async (route) => {
    await here.call('POST', `/incidents/${incident.key}/status`, { to: 'investigating' });
    await route.continue();
  });
  await page.keyboard.press('j');
  await page.keyboard.press('e');
  await page.getByRole('alert').getByText('Somebody else was faster').waitFor();
  await page.locator(`.row[data-key="${incident.key}"] .chip[data-status=investigating]`).waitFor();
  await context.close();
});

test('the server is killed and started again: the badge says so, and the list is exactly right', async () => {
  const { page, context } = await here.open('/incidents');
  await here.showsExactly(page);
  await here.server.kill();
  await page.locator('.badge', { hasText: 'Reconnecting' }).waitFor();
  await here.server.restart();
  await here.report('While they were away');
  await page.locator('.badge', { hasText: 'Live' }).waitFor();
  await here.showsExactly(page);
  await context.close();
});

test('a wrong password is refused in words, and after signing out nothing is shown', async () => {
  const { page, context } = await here.open('/incidents');
  await page.getByRole('button', { name: /Account/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByLabel('User name').fill('admin');
  await page.getByLabel('Password').fill('guessed');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  assert.equal(await page.getByRole('table').count(), 0);
  await context.close();
});

test('streams are switched off: it says Polling, stays current, and is live again when they are on', async () => {
  const watching = await here.open('/incidents');
  const switching = await here.open('/system');
  await switching.page.getByRole('button', { name: 'Switch off' }).click();
  await switching.page.getByLabel('Reason').fill('A drill');
  await switching.page.getByRole('dialog').getByRole('button', { name: 'Switch off' }).click();
  await switching.page.getByRole('heading', { name: 'Streams are switched off' }).waitFor();
  await watching.page.locator('.badge', { hasText: 'Polling' }).waitFor();
  await here.report('Told by polling');
  await watching.page.getByRole('link', { name: 'Told by polling' }).waitFor();
  await switching.page.getByRole('button', { name: 'Switch on' }).click();
  await switching.page.getByLabel('Reason').fill('It is over');
  await switching.page.getByRole('dialog').getByRole('button', { name: 'Switch on' }).click();
  await switching.page.getByRole('heading', { name: 'Streams are on' }).waitFor();
  await watching.page.locator('.badge', { hasText: 'Live' }).waitFor({ timeout: 40_000 });
  await here.showsExactly(watching.page);
  assert.deepEqual([...watching.errors, ...switching.errors], []);
  await watching.context.close();
  await switching.context.close();
});

test('what a browser sees of its connection is in the metrics: its time, how late a change was shown, that it polled', async () => {
  const { access_token } = await here.server.login();
  const metrics = async () => {
    const response = await fetch(`${here.server.url}/metrics`, {
      headers: { Authorization: `Bearer ${access_token}` },
    });
    const text = await response.text();
    const value = (name) =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.slice(name.length) ?? 0,
      );
    return {
      live_s: value('signalbox_client_state_seconds_total{name="live"}'),
      painted: value('signalbox_client_commit_to_render_seconds_count'),
      disabled: value('signalbox_client_fallbacks_total{name="disabled"}'),
    };
  };
  const before = await metrics();
  const { page, context, errors } = await here.open('/incidents');
  await here.report('To be painted');
  await page.getByRole('link', { name: 'To be painted' }).waitFor();
  // A latency ends behind the frame.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))));
  await here.call('POST', '/system/streams/disable', { reason: 'A drill' });
  await page.locator('.badge[data-state=polling]').waitFor();
  await page.goto('about:blank'); // who leaves says how it went
  await until('all of it is counted', async () => {
    const now = await metrics();
    return (now.live_s > before.live_s && now.painted > before.painted && now.disabled > before.disabled) || now;
  });
  await here.call('POST', '/system/streams/enable', { reason: 'It is over' });
  assert.deepEqual(errors, []);
  await context.close();
});
