// Runbooks and their runs, as an operator sees them: from the form to the last of 100,000 lines.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { axeFinds } from './axe.mjs';
import { until, world } from './world.mjs';

/** Lines of the long run. */
const LINES = 100_000;
/** Longest that the long run may take, on a machine that does other things too. In ms. */
const PRINTED_MS = 60_000;

/** A shell as the allowed program: here it is the test that writes what it does. */
const shell = (script) => ({
  program: '/bin/sh',
  arguments: ['-c', script, 'sh'],
  environment: { PATH: '/usr/bin:/bin' },
});

let here;
let folder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'signalbox-runs-'));
  const colours = String.raw`printf '\033[32mok\033[0m \033[1;31mfailed\033[0m \033[48;5;94mground\033[0m <b>bold</b>\n'`;
  const commands = {
    greet: shell(`${colours}; for n in 1 2 3; do echo "hello $1 $n"; sleep 0.4; done; echo "beware" >&2`),
    count: shell(`seq -f 'line %.0f of the long run' 1 "$1"`),
    wait: shell(`while [ ! -e '${folder}/go' ]; do echo tick; sleep 0.1; done`),
    fail: shell('echo "cannot reach it" >&2; exit 3'),
  };
  const file = join(folder, 'commands.json');
  await writeFile(file, JSON.stringify(commands));
  here = await world({ SIGNALBOX_COMMANDS: file });
});
after(async () => {
  await here?.stop();
  await rm(folder, { recursive: true, force: true });
});

const write = (definition) => here.call('POST', '/runbooks', definition);
const run = (runbook, body = {}) => here.call('POST', `/runbooks/${runbook.id}/run`, body);
const isStatus = (id, status) =>
  until(`it is ${status}`, async () => {
    const now = await here.call('GET', `/executions/${id}`);
    return now.status === status || now;
  });
/** Says hello, asks whether that was polite, and rests. */
const greeting = {
  name: 'Greet a server',
  inputs: [
    { name: 'server', description: 'Which one', required: true },
    { name: 'token', secret: true, required: true },
    { name: 'times', kind: 'integer', default: 3 },
    { name: 'zone', kind: 'choice', choices: ['north', 'south'] },
  ],
  steps: [
    { name: 'Greet', command: { name: 'greet', arguments: ['{{inputs.server}}'] } },
    { name: 'Ask', approval: { prompt: 'Was {{inputs.server}} polite?' }, timeout_s: 600 },
    { name: 'Breathe', wait: { seconds: 1 } },
  ],
};
const texts = (page) => page.locator('.line-text').allTextContents();

test('a runbook is run from its form, its lines arrive live, it is approved, and it succeeds', async () => {
  await write(greeting);
  const { page, context, errors } = await here.open('/runbooks');
  await page.getByRole('link', { name: 'Greet a server', exact: true }).click();
  await page.getByRole('heading', { name: 'Greet a server' }).waitFor();
  await page.keyboard.press('r');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('server').fill('db-1');
  await dialog.getByLabel('token').fill('abc');
  await dialog.getByLabel('Why').fill('A drill');
  assert.equal(await dialog.getByLabel('token').getAttribute('type'), 'password');
  assert.equal(await dialog.getByLabel('times').inputValue(), '3');
  await dialog.getByRole('button', { name: 'Run', exact: true }).click();
  // What the server has against a value stands beside its field.
  await dialog.getByText('is a secret of 4 characters or more').waitFor();
  assert.equal(await dialog.getByLabel('token').getAttribute('aria-invalid'), 'true');
  await dialog.getByLabel('token').fill('abcdef');
  await dialog.getByRole('button', { name: 'Run', exact: true }).click();
  await page.waitForURL('**/runs/*');
  const id = page.url().split('/').pop();

  await page.locator('.line-text', { hasText: 'hello db-1 1' }).waitFor();
  await page.locator('.line-text', { hasText: 'hello db-1 3' }).waitFor();
  await page.locator('.run-title .chip[data-status=waiting_approval]').waitFor();
  const shown = await texts(page);
  assert.equal(shown[0], 'ok failed ground <b>bold</b>');
  assert.equal(await page.locator('.line .ansi-red.ansi-bold').textContent(), 'failed');
  assert.equal(await page.locator('.line b').count(), 0, 'what a program prints is text');
  assert.equal(await page.locator('.line[data-stream=stderr] .line-text').textContent(), 'beware');
  assert.equal(shown.length, 5);

  await page.getByText('by you', { exact: true }).waitFor();
  await page.getByText('Was db-1 polite?').waitFor();
  await page.keyboard.press('a');
  await dialog.getByLabel('Why').fill('Very');
  await page.keyboard.press('Enter');
  await page.locator('.run-title .chip[data-status=succeeded]').waitFor();
  await isStatus(id, 'succeeded');
  assert.equal(await page.locator('.step[data-status=succeeded]').count(), 3);
  const { inputs } = await here.call('GET', `/executions/${id}`);
  assert.deepEqual(inputs, { server: 'db-1', token: '***', times: 3 });

  // The list has seen it happen, and says who was first.
  await page.getByRole('link', { name: 'Runs', exact: true }).first().click();
  await page.locator('.runs .chip[data-status=succeeded]').first().waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});

test('a run of 100,000 lines is scrolled, searched and linked to', async (t) => {
  const count = { name: 'count', arguments: [String(LINES)] };
  const runbook = await write({ name: 'Count far', steps: [{ name: 'Count', command: count }] });
  const { id } = await run(runbook);
  const { page, context, errors } = await here.open(`/runs/${id}`);
  // While it prints, the end is followed.
  await page.locator('.line-text', { hasText: 'of the long run' }).first().waitFor();
  await page.locator('.run-title .chip[data-status=succeeded]').waitFor({ timeout: PRINTED_MS });
  await page.locator('#L100000, [data-index="99999"] .line-text', { hasText: 'line 100000 of' }).waitFor();
  await page.getByText('100,000 lines').waitFor();

  const measured = await page.evaluate(scrollThrough);
  t.diagnostic(`scrolling through: ${JSON.stringify(measured)}`);
  assert.ok(measured.mostRows < 200, 'only what can be seen is in the page');
  await until('the lines under the eyes are there', async () => {
    const rows = await page.locator('.line').evaluateAll((all) => all.map((row) => row.innerText.split('\n')));
    const right = rows.filter(([number, text]) => text === `line ${number} of the long run`).length;
    return (rows.length > 20 && right === rows.length) || rows.slice(0, 3);
  });

  // Reading elsewhere, nothing jumps; the pill leads back.
  await page.getByRole('button', { name: 'To the newest' }).click();
  await page.locator('.line-text', { hasText: 'line 100000 of' }).waitFor();

  await page.keyboard.press('s');
  await page.keyboard.type('LINE 4242');
  await page.getByText('1 of 11', { exact: true }).waitFor();
  await page.locator('.line[data-found] mark').waitFor();
  const began = performance.now();
  await page.keyboard.press('Enter');
  await page.getByText('2 of 11', { exact: true }).waitFor();
  await page.locator('.line[data-found] .line-text', { hasText: 'line 42420 of' }).waitFor();
  t.diagnostic(`to the next that was found: ${Math.round(performance.now() - began)} ms`);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');

  await page.locator('[data-index="42420"] .line-number').click();
  assert.ok(page.url().endsWith('#L42421'));
  await page.reload();
  await page.locator('.line[data-linked] .line-text', { hasText: 'line 42421 of' }).waitFor();
  const box = await page.locator('.line[data-linked]').boundingBox();
  assert.ok(box.y > 100 && box.y < 800, 'the line of the link is in sight');
  assert.deepEqual(errors, []);
  await context.close();
});

/** Scrolls through all lines, as somebody does who drags: how long frames took, and how many rows there were. */
async function scrollThrough() {
  const scroller = document.querySelector('.lines');
  const tasks = [];
  const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)));
  observer.observe({ entryTypes: ['longtask'] });
  const frames = [];
  let mostRows = 0;
  const steps = 200;
  let last = performance.now();
  for (let step = steps; step >= steps / 2; step -= 1) {
    scroller.scrollTop = (scroller.scrollHeight * step) / steps;
    await new Promise((resolve) => requestAnimationFrame(resolve));
    const now = performance.now();
    frames.push(now - last);
    last = now;
    mostRows = Math.max(mostRows, document.querySelectorAll('.line').length);
  }
  observer.disconnect();
  frames.sort((a, b) => a - b);
  const at = (share) => Math.round(frames[Math.floor((frames.length - 1) * share)]);
  const longest = Math.round(Math.max(0, ...tasks));
  return {
    frames: frames.length,
    p50_ms: at(0.5),
    p95_ms: at(0.95),
    most_ms: at(1),
    longTasks: tasks.length,
    longest_ms: longest,
    mostRows,
  };
}

test('what is printed while one reads elsewhere moves nothing, and is counted', async () => {
  const runbook = await write({ name: 'Tick', steps: [{ name: 'Wait', command: { name: 'wait' } }] });
  const { id } = await run(runbook);
  const { page, context } = await here.open(`/runs/${id}`, { viewport: { width: 1280, height: 500 } });
  await until('there is more than fits', () =>
    page.locator('.lines').evaluate((lines) => lines.scrollHeight > lines.clientHeight + 100),
  );
  await page.locator('.lines').hover();
  await page.mouse.wheel(0, -100_000);
  const pill = page.locator('.pill-end .pill', { hasText: /\d+ new lines/ });
  await pill.waitFor();
  const [top, first] = [await page.locator('.lines').evaluate((lines) => lines.scrollTop), (await texts(page))[0]];
  const count = await pill.textContent();
  await until('more is counted', async () => (await pill.textContent()) !== count);
  assert.deepEqual(
    [await page.locator('.lines').evaluate((lines) => lines.scrollTop), (await texts(page))[0]],
    [top, first],
  );
  await pill.click();
  await pill.waitFor({ state: 'detached' });
  await writeFile(join(folder, 'go'), '');
  await page.locator('.run-title .chip[data-status=succeeded]').waitFor();
  await context.close();
});

test('a run is cancelled, another fails and goes on, each from the page', async () => {
  const asking = await write({ name: 'Patient', steps: [{ name: 'Ask', approval: { prompt: 'Now?' } }] });
  const failing = await write({ name: 'Broken', steps: [{ name: 'Try', command: { name: 'fail' } }] });
  const [waits, fails] = [await run(asking), await run(failing)];
  await isStatus(waits.id, 'waiting_approval');
  await isStatus(fails.id, 'failed');
  const { page, context, errors } = await here.open(`/runs/${waits.id}`);
  await page.getByRole('button', { name: 'Cancel …' }).click();
  await page.getByRole('dialog').getByLabel('Why').fill('Never mind');
  await page.getByRole('dialog').locator('button[type=submit]').click();
  await page.locator('.run-title .chip[data-status=cancelled]').waitFor();
  await page.getByText('Never mind').first().waitFor();

  await page.goto(`${here.server.url}/runs/${fails.id}`);
  await page.getByText('cannot reach it').waitFor();
  await page.getByRole('button', { name: 'Go on …' }).click();
  await page.getByRole('dialog').locator('button[type=submit]').click();
  await page.getByText('Attempt 2').waitFor();
  await isStatus(fails.id, 'failed');
  assert.deepEqual(errors, []);
  await context.close();
});

test('a runbook is written, refused at its line, saved, changed, and put away', async () => {
  await write({ name: 'Stays in use', steps: [{ name: 'Wait', wait: { seconds: 1 } }] });
  const { page, context, errors } = await here.open('/runbooks');
  await page.locator('.page-head .button').click();
  const text = page.getByLabel('The runbook as JSON');
  await text.fill('{\n  "name": "Written here",\n  "steps": [\n    { "name": "Say" }\n  ]\n');
  await page.keyboard.press('Control+Enter');
  await page.getByRole('alert').getByText('is not JSON').waitFor();
  await text.fill(
    JSON.stringify({ name: 'Written here', steps: [{ name: 'Run', command: { name: 'unknown' } }] }, undefined, 2),
  );
  await page.getByRole('button', { name: 'Save' }).click();
  const problem = page.getByRole('alert').getByRole('button');
  await problem.getByText('is none of the configured commands').waitFor();
  assert.match(await problem.textContent(), /^Line 7: \/steps\/0\/command\/name/);
  assert.equal(await page.locator('.editor-numbers [data-wrong]').textContent(), '7');
  await problem.click();
  assert.equal(
    await text.evaluate((area) => area.value.slice(area.selectionStart, area.selectionEnd).trim()),
    '"name": "unknown"',
  );
  await text.fill((await text.inputValue()).replace('unknown', 'greet'));
  await page.getByRole('button', { name: 'Add' }).click();
  await page.getByRole('menuitem', { name: 'Schedule' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'Written here', exact: true }).waitFor();
  await page.getByText('0 4 * * *').waitFor();
  await page.locator('.times li').nth(4).waitFor();

  await page.keyboard.press('e');
  await text.fill((await text.inputValue()).replace('Written here', 'Changed here'));
  await page.keyboard.press('Control+Enter');
  await page.getByRole('heading', { name: 'Changed here', exact: true }).waitFor();
  await page.getByRole('button', { name: 'Put away …' }).click();
  await page.getByRole('dialog').locator('button[type=submit]').click();
  await page.getByText('nothing starts it.').waitFor();
  await page.getByRole('link', { name: 'Runbooks', exact: true }).first().click();
  await page.getByRole('link', { name: 'Stays in use', exact: true }).waitFor();
  assert.equal(await page.getByText('Changed here').count(), 0);
  assert.deepEqual(errors, []);
  await context.close();
});

test('axe finds nothing on these pages, light and dark, wide and narrow', async () => {
  const asks = { name: 'Asks', steps: [{ name: 'Ask', approval: { prompt: 'Now?' } }] };
  const fails = { name: 'Fails', steps: [{ name: 'Try', command: { name: 'fail' } }] };
  const long = { name: 'Long', steps: [{ name: 'Count', command: { name: 'count', arguments: ['1000'] } }] };
  const [greet] = greeting.steps;
  const greets = { ...greeting, name: 'Only greets', steps: [greet, { name: 'Breathe', wait: { seconds: 1 } }] };
  const shown = async (definition, status, body) => {
    const { id } = await run(await write(definition), body);
    await isStatus(id, status);
    return here.call('GET', `/executions/${id}`);
  };
  const [greeted, failed, waiting, counted] = await Promise.all([
    shown(greets, 'succeeded', { inputs: { server: 'db-1', token: 'abcdef' } }),
    shown(fails, 'failed'),
    shown(asks, 'waiting_approval'),
    shown(long, 'succeeded'),
  ]);
  const found = await axeFinds(here, [
    '/runbooks',
    '/runbooks?q=nothing',
    `/runbooks/${greeted.runbook_id}`,
    `/runbooks/${greeted.runbook_id}?run=1`,
    `/runbooks/${greeted.runbook_id}/edit`,
    '/runbooks/new',
    '/runs',
    '/runs?status=queued',
    `/runs/${greeted.id}`,
    `/runs/${failed.id}`,
    `/runs/${waiting.id}`,
    `/runs/${counted.id}#L500`,
  ]);
  assert.deepEqual(found, []);
});
