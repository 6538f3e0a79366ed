// Notifications: from a channel to a real receiver, to what became of each delivery.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';

import { axeFinds } from './axe.mjs';
import { until, world } from './world.mjs';

let here;
before(async () => (here = await world({ SIGNALBOX_EGRESS_ALLOW: '127.0.0.0/8' })));
after(() => here?.stop());

/** Who is told: keeps every request, and answers as it is asked to. */
async function receiver() {
  const requests = [];
  const answer = { status: 200, body: 'thanks' };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      requests.push({ headers: request.headers, body });
      response.writeHead(answer.status).end(answer.body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}/hook`,
    requests,
    answer,
    close: () => new Promise((closed) => server.close(closed).closeAllConnections()),
  };
}

/** Whether a request is signed with a secret, as Standard Webhooks says. */
function isSigned({ headers, body }, secret) {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const signature = `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
  return headers['webhook-signature'].split(' ').includes(signature);
}

const firstDelivery = (page) => page.getByRole('list', { name: 'Deliveries' }).getByRole('listitem').first();

test('a channel is made, its secret shown once, a test sent, a rule made, and a delivery seen to arrive', async () => {
  const told = await receiver();
  const { page, context, errors } = await here.open('/notifications');
  await page.getByText('Nobody is told anything yet').waitFor();
  await page.keyboard.press('c');
  const form = page.getByRole('dialog', { name: 'New channel' });
  await form.getByLabel('Name').fill('pager');
  await form.getByLabel('URL').fill('http://10.0.0.1/hook');
  await form.getByRole('button', { name: 'Create' }).click();
  await form.getByRole('alert').getByText('an address that this server may not connect to').waitFor();
  await form.getByLabel('URL').fill(told.url);
  await form.getByRole('button', { name: 'Create' }).click();

  const shown = page.getByRole('dialog', { name: 'The secret of pager' });
  const secret = await shown.getByLabel('Secret').inputValue();
  assert.match(secret, /^whsec_/);
  await shown.getByRole('button', { name: 'Copy' }).click();
  await shown.getByText(/^Copied|^It is selected/).waitFor();
  await shown.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('heading', { name: 'pager' }).waitFor();
  const channel = page.url().split('/').pop();
  assert.equal((await here.call('GET', `/notification-channels/${channel}`)).secret, undefined);

  await page.getByRole('button', { name: 'Send a test' }).click();
  await page.getByText('The receiver took the test').waitFor();
  await page.getByLabel('Its answer').getByText('thanks').waitFor();
  await firstDelivery(page).getByText('a test').waitFor();
  assert.ok(isSigned(told.requests[0], secret));

  await page.getByRole('link', { name: 'Notifications', exact: true }).first().click();
  await page.getByRole('button', { name: 'Rule' }).click();
  const rule = page.getByRole('dialog', { name: 'New rule' });
  await rule.getByLabel('Name').fill('bad ones');
  await rule.getByLabel('Add a type').selectOption('incident.created');
  await rule.getByLabel('Condition').fill('data.severity in ["P0" "P1"]');
  await rule.getByRole('button', { name: 'Create', exact: true }).click();
  await rule.locator('mark', { hasText: '"' }).waitFor();
  const chosen = await rule
    .getByLabel('Condition')
    .evaluate(({ value, selectionStart }) => value.slice(0, selectionStart));
  assert.equal(chosen, 'data.severity in ["P0" ');
  await rule.getByLabel('Condition').fill('data.severity in ["P0", "P1"]');
  await rule.getByLabel('Text').fill('{{data.severity}}: {{data.title}}');
  await rule.getByRole('button', { name: 'Create', exact: true }).click();
  await rule.waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'pager' }).click();

  // Only what fits is sent; it appears in the page without reload.
  await here.report('All is well', { severity: 'P4' });
  await here.report('Disk full on db-1', { severity: 'P0' });
  await firstDelivery(page).getByText('bad ones').waitFor();
  await firstDelivery(page).getByText('sent', { exact: true }).first().waitFor();
  assert.match(told.requests[1].body, /P0: Disk full on db-1/);
  assert.equal(told.requests.length, 2);
  await firstDelivery(page).locator('summary').click();
  await firstDelivery(page).getByLabel("The receiver's answer").getByText('thanks').waitFor();
  assert.deepEqual(errors, []);
  await context.close();
  await told.close();
});

test('every attempt is shown with what the receiver said, and why something was not sent', async () => {
  const told = await receiver();
  told.answer.status = 503;
  told.answer.body = 'come back later';
  const { id } = await here.call('POST', '/notification-channels', { name: 'shaky', kind: 'webhook', url: told.url });
  const wanted = { name: 'all assigned', channel: id, types: ['incident.assigned'] };
  await here.call('POST', '/notification-rules', wanted);
  const { key } = await here.report('Shaky');
  const { page, context } = await here.open(`/notifications/${id}`);
  await page.getByText('None yet.').waitFor();
  await here.call('POST', `/incidents/${key}/assign`, { assignee: 'admin' });
  await firstDelivery(page).locator('.delivery-why', { hasText: 'the receiver said no' }).waitFor();
  await firstDelivery(page).locator('summary').click();
  await firstDelivery(page).getByText('1. failed').waitFor();
  await firstDelivery(page).getByText('come back later').waitFor();

  // Tried again after some seconds, without a reload.
  told.answer.status = 204;
  await firstDelivery(page).getByText('2. sent').waitFor();

  await page.getByRole('button', { name: 'Switch off' }).click();
  const off = page.getByRole('dialog');
  await off.getByLabel('Reason').fill('too loud');
  await off.getByRole('button', { name: 'Switch off' }).click();
  await page.getByText('Nothing is sent: too loud').waitFor();
  await here.call('POST', `/incidents/${key}/assign`, { assignee: null });
  await page.reload();
  await page.getByRole('button', { name: 'skipped' }).click();
  await until('what was skipped says why', async () => {
    if (await firstDelivery(page).getByText('the channel was off').first().isVisible()) return true;
    await page.reload();
    await page.getByRole('heading', { name: 'shaky' }).waitFor();
    return false;
  });

  // On again, the past is sent from a position on, once that was confirmed.
  await page.getByRole('button', { name: 'Switch on' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Switch on' }).click();
  await page.getByRole('button', { name: 'Replay' }).click();
  const replay = page.getByRole('dialog');
  const before = told.requests.length;
  await replay.getByLabel('Events behind').fill('0');
  await replay.getByText(/\d events \(1 to \d+\)/).waitFor();
  await replay.getByRole('button', { name: 'Replay' }).click();
  await replay.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'all', exact: true }).click();
  await firstDelivery(page).getByText('replayed').waitFor();
  await until('both are sent again', () => told.requests.length === before + 2 || told.requests.length);
  await context.close();
  await told.close();
});

test('a new secret is shown once, and for a while both sign', async () => {
  const told = await receiver();
  const made = await here.call('POST', '/notification-channels', { name: 'turning', kind: 'webhook', url: told.url });
  const { page, context } = await here.open(`/notifications/${made.id}`);
  await page.getByRole('button', { name: 'New secret' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Make it' }).click();
  const shown = page.getByRole('dialog', { name: 'The secret of turning' });
  const secret = await shown.getByLabel('Secret').inputValue();
  await shown.getByRole('button', { name: 'Done' }).click();
  await shown.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Send a test' }).click();
  await page.getByText('The receiver took the test').waitFor();
  assert.notEqual(secret, made.secret);
  assert.ok(isSigned(told.requests[0], secret) && isSigned(told.requests[0], made.secret));
  await context.close();
  await told.close();
});

test('axe finds nothing on the pages of notifications, and nothing is wider than the page', async () => {
  const told = await receiver();
  told.answer.status = 500;
  const url = `${told.url}?${'long'.repeat(40)}`;
  const { id } = await here.call('POST', '/notification-channels', { name: 'for axe', kind: 'webhook', url });
  const condition = 'data.severity in ["P0", "P1"] && !(data.title contains "a drill of the night shift")';
  await here.call('POST', '/notification-rules', { name: 'long', channel: id, types: ['incident.*'], condition });
  await here.call('POST', `/notification-channels/${id}/test`);
  await here.call('POST', `/notification-channels/${id}/disable`, { reason: 'for axe' });
  const found = await axeFinds(here, [
    '/notifications',
    `/notifications/${id}`,
    `/notifications/${id}?status=failed`,
    '/notifications/0198c0de-0000-7000-8000-000000000001',
    [
      '/notifications',
      async (page) => {
        await page.getByRole('button', { name: 'Edit long' }).click();
        await page.getByLabel('Condition').fill('data.severity in ["P0" "P1"]');
        await page.getByText('The language').click();
        await page.getByRole('button', { name: 'Change' }).click();
        await page.locator('mark').waitFor();
      },
    ],
    [
      `/notifications/${id}`,
      async (page) => {
        await page.locator('.deliveries summary').first().click();
        await page.getByRole('button', { name: 'Send a test' }).click();
        await page.getByText('The test was not taken').waitFor();
      },
    ],
  ]);
  assert.deepEqual(found, []);
  await told.close();
});
