// The event log as auditors use it: found, looked into, taken home.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { faults, looking } from './axe.mjs';
import { until, world } from './world.mjs';

let here;
before(async () => {
  here = await world();
  await here.user('anton', ['auditor']);
  await here.user('vera', ['viewer']);
});
after(() => here?.stop());

const rows = (page) => page.locator('.log tbody tr');

/** What a click on a link brings, as text. */
async function downloaded(page, name) {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name, exact: true }).click(),
  ]);
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') };
}

test('what an auditor filters is what the file has, as NDJSON and as CSV', async () => {
  const { key } = await here.report('Disk full on db-1', { severity: 'P1' });
  const moved = await here.call('POST', `/incidents/${key}/status`, { to: 'acknowledged', reason: '=1+1, "looking"' });
  await here.report('Another one');
  const { page, context, errors } = await here.open('/events', { username: 'anton' });
  await page.getByRole('button', { name: 'Who, when, where …' }).click();
  await page.getByLabel(/^Stream/).fill(`incident/${moved.id}`);
  await page.getByLabel(/^By/).fill('admin');
  await page.getByRole('button', { name: 'Show' }).click();
  await until('two events are left', async () => (await rows(page).count()) === 2);
  const shown = await page.locator('.log-open').allTextContents();

  const lines = await downloaded(page, 'NDJSON');
  assert.match(lines.name, /\.ndjson$/);
  const events = lines.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).event);
  assert.deepEqual(
    events.map(({ seq }) => String(seq)),
    shown.toReversed(),
  );
  assert.deepEqual(
    events.map(({ type }) => type),
    ['incident.created', 'incident.status.changed'],
  );
  const table = await downloaded(page, 'CSV');
  assert.match(table.name, /\.csv$/);
  assert.equal(table.text.trim().split('\r\n').length, 3);
  assert.ok(table.text.startsWith('"seq","id"'));

  // Taken away, everything is there again, the two exports among it.
  await page.getByRole('button', { name: /^Without stream/ }).click();
  await page.getByRole('button', { name: /^Without by/ }).click();
  await until('all are back', async () => (await page.getByRole('cell', { name: 'audit.exported' }).count()) === 2);
  assert.deepEqual(errors, []);
  await context.close();
});

test('an event shows its state before and after it, and all of its story', async () => {
  const { key } = await here.report('Fan stopped', { severity: 'P3' });
  const into = await here.report('Rack too hot', { severity: 'P1' });
  await here.call('PATCH', `/incidents/${key}`, { title: 'Fan of db-2 stopped' });
  await here.call('POST', `/incidents/${key}/merge`, { into: into.key });
  const { page, context, errors } = await here.open('/events', { username: 'anton' });
  await rows(page).filter({ hasText: 'incident.updated' }).first().click();
  const dialog = page.getByRole('dialog');
  const change = dialog.getByRole('row', { name: /^title/ });
  await change.waitFor();
  assert.deepEqual(await change.getByRole('cell').allTextContents(), ['Fan stopped', 'Fan of db-2 stopped']);
  assert.equal(await dialog.getByRole('row', { name: /^severity/ }).count(), 0);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });

  await rows(page).filter({ hasText: 'incident.merged' }).first().click();
  await dialog.getByRole('button', { name: /incident\.absorbed/ }).waitFor();
  await dialog.getByRole('button', { name: 'As a list' }).click();
  await until('the list has the whole story of the incident', async () => {
    const types = await page.locator('.log tbody tr td:nth-child(3)').allTextContents();
    const wanted = ['absorbed', 'created', 'merged', 'status.changed', 'updated'].map((type) => `incident.${type}`);
    return JSON.stringify(types.toSorted()) === JSON.stringify(wanted) || types;
  });
  assert.deepEqual(errors, []);
  await context.close();
});

test('a log within a time that is over gains nothing, and one without an end does', async () => {
  const soon = encodeURIComponent(new Date(Date.now() - 1000).toISOString());
  const closed = await here.open(`/events?until=${soon}&types=incident.*`, { username: 'anton' });
  const open = await here.open('/events?types=incident.*', { username: 'anton' });
  await here.report('Only in one of them');
  await open.page.getByText('Only in one of them').waitFor();
  assert.equal(await closed.page.getByText('Only in one of them').count(), 0);
  await Promise.all([closed.context.close(), open.context.close()]);
});

test('who may not take events home is offered no file', async () => {
  const { page, context } = await here.open('/events', { username: 'vera' });
  await rows(page).first().waitFor();
  assert.equal(await page.getByRole('link', { name: 'CSV' }).count(), 0);
  await context.close();
});

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing in the log, its filters and its events in ${colorScheme}, wide and at 360 px`, async () => {
    const { key } = await here.report('Seen by axe');
    await here.call('POST', `/incidents/${key}/status`, { to: 'acknowledged' });
    const { page, context, errors } = await here.open('/', { ...looking(colorScheme), username: 'anton' });
    const found = [];
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 760 });
      await page.goto(`${here.server.url}/events?types=incident.*&actor=admin&since=2026-01-01T00:00:00Z`);
      await rows(page).first().waitFor();
      found.push(...(await faults(page, `the log ${width}`)));
      await page.getByRole('button', { name: 'Who, when, where …' }).click();
      found.push(...(await faults(page, `the filters ${width}`)));
      await page.keyboard.press('Escape');
      await rows(page).filter({ hasText: 'incident.status.changed' }).first().click();
      await page.getByRole('row', { name: /^status/ }).waitFor();
      found.push(...(await faults(page, `an event ${width}`)));
    }
    assert.deepEqual([...found, ...errors], []);
    await context.close();
  });
}
