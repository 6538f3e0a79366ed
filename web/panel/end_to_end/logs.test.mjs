// The log explorer: what is posted appears, what does not fit does not, and nothing jumps.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { axeFinds } from './axe.mjs';
import { until, world } from './world.mjs';

let here;
before(async () => (here = await world()));
after(() => here?.stop());

/** Posts lines that have all facts in common. */
const say = (source, messages, { server, ...facts } = {}) => {
  const lines = messages.map((message) => ({ message, ...facts }));
  return here.call('POST', '/logs', { source, ...(server && { server }), lines });
};
const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
const messagesIn = (page) =>
  page
    .locator('.row[data-line]')
    .evaluateAll((rows) =>
      rows
        .sort((a, b) => Number(a.dataset.index) - Number(b.dataset.index))
        .map((row) => row.querySelector('.row-link').textContent),
    );
const shows = (page, ...expected) =>
  until(`the list shows ${expected}`, async () => {
    const shown = await messagesIn(page);
    return JSON.stringify(shown) === JSON.stringify(expected) || shown;
  });

test('posted lines appear without reload, only those that fit, also of a batch that its event only counts', async () => {
  await say('sshd', ['Failed password for root'], { server: 'web-1', level: 'warn' });
  const { page, context, errors } = await here.open('/logs?level=warn&server=web-1&q=password&source=sshd');
  await shows(page, 'Failed password for root');

  const fitting = { server: 'web-1', level: 'error' };
  await say('sshd', ['Password of nobody: too mild'], { ...fitting, level: 'info' });
  await say('sshd', ['Password elsewhere'], { ...fitting, server: 'web-2' });
  await say('cron', ['Password of another source'], fitting);
  await say('sshd', ['Another word'], fitting);
  await say('sshd', ['The PASSWORD of ada'], fitting);
  await shows(page, 'The PASSWORD of ada', 'Failed password for root');

  // Too many for their event: the page asks for those that fit.
  await say('sshd', [...Array.from({ length: 40 }, (_, n) => `Noise ${n}`), 'password in a large batch'], fitting);
  await shows(page, 'password in a large batch', 'The PASSWORD of ada', 'Failed password for root');
  assert.deepEqual(errors, []);
  await context.close();
});

test('paused, or under the pointer, the list holds still and says how much is new', async () => {
  await say('calm', ['first']);
  const { page, context } = await here.open('/logs?source=calm');
  await shows(page, 'first');
  await page.keyboard.press('p');
  await page.getByRole('button', { name: 'Paused' }).waitFor();
  await say('calm', ['second', 'third']);
  const pill = page.getByRole('button', { name: '2 new' });
  await pill.waitFor();
  await shows(page, 'first');
  await pill.click();
  await page.mouse.move(0, 0);
  await shows(page, 'third', 'second', 'first');
  await page.keyboard.press('p');

  await page.locator('.row[data-line]').first().hover();
  await say('calm', ['fourth']);
  await page.getByRole('button', { name: '1 new' }).waitFor();
  await shows(page, 'third', 'second', 'first');
  await page.keyboard.press('.');
  await shows(page, 'fourth', 'third', 'second', 'first');
  await page.mouse.move(0, 0);
  await say('calm', ['fifth']);
  await shows(page, 'fifth', 'fourth', 'third', 'second', 'first');
  await context.close();
});

test('words are searched for, the address keeps them, and a download brings what is shown', async () => {
  await say('search', ['one route to host', 'no route to 10.0.0.7', 'all is well']);
  const { page, context } = await here.open('/logs?source=search');
  await page.getByLabel('Words in the message').fill('"route to" 10.');
  await shows(page, 'no route to 10.0.0.7');
  assert.equal(new URL(page.url()).searchParams.get('q'), '"route to" 10.');
  await page.reload();
  await shows(page, 'no route to 10.0.0.7');

  const coming = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  await page.getByRole('menuitem', { name: 'Messages alone' }).click();
  const download = await coming;
  const chunks = await (await download.createReadStream()).toArray();
  assert.equal(Buffer.concat(chunks).toString(), 'no route to 10.0.0.7\n');

  await page.getByLabel('Words in the message').fill('nowhere');
  await page.getByText('No line fits').waitFor();
  await say('search', ['nowhere is where this is']);
  await shows(page, 'nowhere is where this is');
  await context.close();
});

test('bars count lines by level; a drag over them shows those of that time', async () => {
  await say('bars', ['old'], { at: ago(18 * 60), level: 'error' });
  await say('bars', ['middle'], { at: ago(12 * 60), level: 'warn' });
  await say('bars', ['late', 'later'], { at: ago(2) });
  const { page, context } = await here.open('/logs?source=bars');
  await page.getByRole('img', { name: '4 lines: 1 errors, 1 warnings, 2 info, 0 debug' }).waitFor();
  await shows(page, 'later', 'late', 'middle', 'old');

  const { x, y, width, height } = await page.locator('.histogram .u-over').boundingBox();
  const drag = async (from, to) => {
    await page.mouse.move(x + width * from, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width * to, y + height / 2, { steps: 5 });
    await page.mouse.up();
    await page.mouse.move(0, 0);
  };
  await drag(0.4, 0.6);
  await shows(page, 'middle');
  await page.getByRole('img', { name: '1 lines: 0 errors, 1 warnings' }).waitFor();
  const { searchParams } = new URL(page.url());
  assert.ok(Math.abs(Date.parse(searchParams.get('since')) - Date.parse(ago(14.4 * 60))) < 45 * 60_000);
  await page.goBack();
  await shows(page, 'later', 'late', 'middle', 'old');

  // Counts follow what happens.
  await say('bars', ['latest'], { level: 'debug' });
  await page.getByRole('img', { name: '5 lines: 1 errors, 1 warnings, 2 info, 1 debug' }).waitFor();
  await context.close();
});

test('by keyboard: j and k move, Enter opens a line, its neighbours are around it, and a value filters', async () => {
  await say(
    'keys',
    Array.from({ length: 30 }, (_, n) => `line ${n}`),
    { server: 'db-1', fields: { try: 3 } },
  );
  await say('other', ['elsewhere']);
  const { page, context } = await here.open('/logs?q=line%2015');
  await shows(page, 'line 15');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('line 15').first().waitFor();
  const around = dialog.getByRole('list', { name: 'Lines around it' });
  await around.getByText('line 3', { exact: true }).waitFor();
  await around.getByText('line 27', { exact: true }).waitFor();
  await dialog.getByText('try', { exact: true }).waitFor();
  const permalink = page.url();

  await around.getByText('line 16').click();
  await dialog.getByLabel('Message').getByText('line 16').waitFor();
  await dialog.getByRole('button', { name: 'Filter by this server' }).click();
  await dialog.waitFor({ state: 'detached' });
  assert.equal(new URL(page.url()).searchParams.get('server'), 'db-1');
  await shows(page, 'line 15');

  await page.goto(permalink);
  await page.getByRole('dialog').getByLabel('Message').getByText('line 15').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await context.close();
});

test('a value of a line filters, another is typed, and each goes again; what comes is held against them', async () => {
  const line = (message, fields) => ({ message, fields });
  const post = (...lines) => here.call('POST', '/logs', { source: 'fields', lines });
  await post(line('ok', { status: 200, zone: 'a' }), line('bad', { status: 500, zone: 'a' }));
  const { page, context, errors } = await here.open('/logs?source=fields');
  await shows(page, 'bad', 'ok');
  await page.getByRole('link', { name: 'bad' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Filter by this status' }).click();
  await shows(page, 'bad');
  assert.deepEqual(new URL(page.url()).searchParams.getAll('field'), ['status:500']);

  await post(line('worse', { status: 500, zone: 'b' }), line('fine', { status: 200 }), line('without', {}));
  await shows(page, 'worse', 'bad');
  // Too many for their event: the page asks for those that fit.
  const noise = Array.from({ length: 40 }, (_, n) => line(`noise ${n}`, { status: n }));
  await post(...noise, line('worst', { status: 500, zone: 'b' }));
  await shows(page, 'worst', 'worse', 'bad');
  await page.getByRole('img', { name: '3 lines:' }).waitFor();

  await page.getByLabel('Field', { exact: true }).fill('zone:b');
  await page.getByLabel('Field', { exact: true }).press('Enter');
  await shows(page, 'worst', 'worse');
  await page.getByRole('button', { name: 'Lines of any status' }).click();
  await page.getByRole('button', { name: 'Lines of any status' }).waitFor({ state: 'detached' });
  assert.deepEqual(new URL(page.url()).searchParams.getAll('field'), ['zone:b']);
  await shows(page, 'worst', 'worse');
  assert.deepEqual(errors, []);
  await context.close();
});

test('two thousand lines are scrolled through both ways, and not all of them are kept', async () => {
  await say(
    'many',
    Array.from({ length: 2000 }, (_, n) => `n${n}`),
  );
  const { page, context } = await here.open('/logs?source=many', { viewport: { width: 1280, height: 2400 } });
  const table = page.getByRole('table', { name: 'Log lines' });
  await until('the newest is shown', async () => (await messagesIn(page))[0] === 'n1999');
  const seen = new Set();
  // From what is in the page to its end, so that every line must be seen on the way.
  const scroll = (down, wanted) =>
    until(`${wanted} is reached`, async () => {
      // At once: what is loaded in between must not be jumped over. In a frame, as it is painted: a page that comes
      // above moves the list first, and its rows follow with the event of that.
      const messages = await table.evaluate(async (element, toEnd) => {
        await new Promise(requestAnimationFrame);
        const rows = [...element.querySelectorAll('.row[data-line]')];
        rows.sort((one, other) => one.dataset.index - other.dataset.index);
        rows.at(toEnd ? -1 : 0).scrollIntoView({ block: toEnd ? 'start' : 'end' });
        return rows.map((row) => row.querySelector('.row-link').textContent);
      }, down);
      for (const message of messages) seen.add(message);
      return seen.has(wanted) || messages.at(-1);
    });
  await scroll(true, 'n0');
  assert.equal(seen.size, 2000);
  await page.getByText('No older line fits.').waitFor();
  const height_px = await table.evaluate((element) => element.scrollHeight);
  assert.ok(height_px < 1700 * 26, `only part is kept: ${height_px} px`);

  // Meanwhile something came: it waits above, and the way up leads to it without a gap.
  await say('many', ['n2000']);
  await page.getByRole('button', { name: '1 new' }).waitFor();
  seen.clear();
  await scroll(false, 'n2000');
  assert.equal(seen.size, 2001);
  await context.close();
});

test('axe finds nothing in the log explorer, and nothing is wider than the page', async () => {
  await say('sshd', ['a warning'], { level: 'warn', server: 'web-1' });
  const { id } = (await here.call('GET', '/logs?limit=1')).items[0];
  const found = await axeFinds(here, [
    '/logs',
    `/logs?line=${id}`,
    '/logs?field=status:500&field=zone:b',
    '/logs?q=nothing-like-this',
    `/logs?source=sshd&times=ago&since=${ago(60)}&execution=0198c0de-0000-7000-8000-000000000001`,
  ]);
  assert.deepEqual(found, []);
});
