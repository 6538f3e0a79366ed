// Several tabs of the panel in one browser.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { until, world } from './world.mjs';

let here;
before(async () => (here = await world()));
after(() => here?.stop());

/** Which of the tabs holds the lock by which the others know who has the stream. */
async function leader(tabs) {
  let found;
  await until('one tab leads', async () => {
    for (const tab of tabs) {
      const leads = await tab.evaluate(() =>
        navigator.locks.request('who am I', async () => {
          const { held } = await navigator.locks.query();
          const me = held.find(({ name }) => name === 'who am I').clientId;
          return held.some(({ name, clientId }) => name.startsWith('signalbox ') && clientId === me);
        }),
      );
      if (leads) found = tab;
    }
    return found !== undefined;
  });
  return found;
}

test('four tabs use one stream; the one that has it is closed, and nothing is lost in the others', async () => {
  const { page, context, errors } = await here.open('/incidents');
  const tabs = [page];
  for (const path of ['/incidents', '/events', '/events']) {
    const tab = await context.newPage();
    await tab.goto(here.server.url + path);
    await tab.locator('.badge[data-state=live]').waitFor();
    tabs.push(tab);
  }
  assert.equal(await here.streams('admin'), 1);
  await here.report('Told to all four');
  for (const tab of tabs) await tab.getByText('Told to all four').first().waitFor();

  const first = await leader(tabs);
  const rest = tabs.filter((tab) => tab !== first);
  const during = async () => {
    for (let i = 1; i <= 20; i += 1) await here.report(`Meanwhile ${i}`);
  };
  await Promise.all([during(), first.close()]);

  const { items } = await here.call('GET', '/events?types=incident.created&limit=100');
  const truth = items.map(({ seq }) => String(seq)).reverse();
  for (const tab of rest) {
    if (tab.url().endsWith('/incidents')) await here.showsExactly(tab);
    else {
      await until('the log is complete, in order, and has nothing twice', async () => {
        const rows = await tab
          .locator('.log tbody tr', { has: tab.getByRole('cell', { name: 'incident.created' }) })
          .locator('.log-open')
          .allTextContents();
        return JSON.stringify(rows) === JSON.stringify(truth) || { rows, truth };
      });
    }
    await tab.locator('.badge[data-state=live]').waitFor();
  }
  assert.notEqual(await leader(rest), first);
  await until('the server counts one stream', async () => (await here.streams('admin')) === 1);
  assert.deepEqual(errors, []);
  await context.close();
});
