// Users, roles, tokens and one's own account, in real browsers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { faults, looking } from './axe.mjs';
import { signIn, until, world } from './world.mjs';

const PASSWORD = 'a long one, for this run';

let here;
before(async () => (here = await world()));
after(() => here?.stop());

const toast = (page, text) => page.getByRole('status').getByText(text).waitFor();

/** Sets the password by a link, in a browser of its own. */
async function accept(link) {
  const context = await here.browser.newContext({ viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  await page.goto(link);
  await page.getByLabel('New password').fill(PASSWORD);
  await page.getByLabel('The same again').fill(PASSWORD);
  await page.getByRole('button', { name: 'Set password and sign in' }).click();
  await page.locator('.badge[data-state=live]').waitFor();
  return { page, context };
}

test('somebody is invited, comes in by the link, has the rights of the role, and is thrown out when disabled', async () => {
  const admin = await here.open('/users');
  await admin.page.keyboard.press('c');
  await admin.page.getByLabel('User name').fill('Olga');
  await admin.page.getByLabel('Name', { exact: true }).fill('Olga O.');
  await admin.page.getByRole('checkbox', { name: /^viewer/ }).check();
  await admin.page.getByRole('button', { name: 'Create and invite' }).click();
  const link = await admin.page.getByLabel('Link', { exact: true }).inputValue();
  assert.match(link, /\/invitation\?user=olga#sbi_/);
  // Shown once: a click beside it does not take it away, and nothing brings it back.
  await admin.page.mouse.click(5, 5);
  await admin.page.getByLabel('Link', { exact: true }).waitFor();
  await admin.page.getByRole('button', { name: 'Done' }).click();
  assert.equal(await admin.page.getByText('sbi_').count(), 0);

  const row = admin.page.getByRole('row', { name: /olga/ });
  await row.getByText('never').waitFor();
  const olga = await accept(link);
  await row.getByText('never').waitFor({ state: 'detached' });
  await row.getByText(/ago|now/).waitFor();
  const pages = await olga.page.getByRole('navigation', { name: 'Pages' }).getByRole('link').allTextContents();
  assert.ok(pages.includes('Incidents') && !pages.includes('Users'), pages.join());
  await olga.page.goto(`${here.server.url}/incidents`);
  await olga.page.getByRole('heading', { name: 'Incidents', exact: true }).waitFor();
  assert.equal(await olga.page.getByRole('button', { name: /Report/ }).count(), 0);

  // A role more: what it allows is there without reload.
  await admin.page.getByRole('link', { name: 'olga', exact: true }).click();
  await admin.page.getByRole('checkbox', { name: /^operator/ }).click();
  await toast(admin.page, 'Olga O. has the role operator.');
  await olga.page.getByRole('button', { name: /Report/ }).waitFor();

  await admin.page.getByRole('button', { name: 'Disable …' }).click();
  await admin.page.getByText('open windows are signed out').waitFor();
  await admin.page.getByLabel('Reason').fill('she left');
  await admin.page.getByRole('dialog').getByRole('button', { name: 'Disable', exact: true }).click();
  await admin.page.locator('.chip[data-status=disabled]').waitFor();
  await olga.page.getByLabel('User name').waitFor();
  assert.equal(await olga.page.getByRole('navigation').count(), 0);
  await signIn(olga.page, 'olga', PASSWORD);
  await olga.page.getByRole('alert').getByText('user name or password is wrong', { exact: false }).waitFor();

  // The link was good once.
  await olga.page.goto(link);
  await olga.page.getByLabel('New password').fill(PASSWORD);
  await olga.page.getByLabel('The same again').fill(PASSWORD);
  await olga.page.getByRole('button', { name: 'Set password and sign in' }).click();
  await olga.page.getByRole('alert').getByText('unknown, used or too old').waitFor();
  assert.deepEqual(admin.errors, []);
  await Promise.all([olga.context.close(), admin.context.close()]);
});

test('an API token is shown once, is good for what was chosen, and for nothing once it is revoked', async () => {
  const { page, context, errors } = await here.open('/users?kind=service_account');
  await page.getByText('Nobody fits').waitFor();
  await page.getByRole('button', { name: 'New' }).click();
  await page.getByRole('radio', { name: /^Service account/ }).check();
  await page.getByLabel('User name').fill('backup');
  await page.getByLabel('Name', { exact: true }).fill('Backup');
  await page.getByRole('checkbox', { name: /^operator/ }).check();
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByRole('heading', { name: 'Backup' }).waitFor();

  await page.getByRole('button', { name: 'New token …' }).click();
  await page.getByRole('textbox', { name: /^Name/ }).fill('nightly');
  await page.getByLabel('Days until it expires').fill('5');
  await page.getByRole('group', { name: 'incidents' }).getByLabel('read').check();
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  const token = await page.getByLabel('Token', { exact: true }).inputValue();
  assert.match(token, /^sbx_/);
  await page.getByRole('button', { name: 'Done' }).click();
  const row = page.getByRole('row', { name: /nightly/ });
  await row.getByText('incidents.read').waitFor();
  await row.getByText('never').waitFor();
  assert.ok(!(await page.content()).includes(token));

  const ask = async (path) => {
    const response = await fetch(`${here.server.url}/api/v1${path}`, { headers: { Authorization: `Bearer ${token}` } });
    return response.status;
  };
  assert.deepEqual([await ask('/incidents'), await ask('/servers')], [200, 403]);
  await row.getByRole('button', { name: 'Revoke nightly' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
  await row.waitFor({ state: 'detached' });
  assert.equal(await ask('/incidents'), 401);
  assert.deepEqual(errors, []);
  await context.close();
});

test('a role is made in the grid, is there in another window, and is deleted only when nobody holds it', async () => {
  const [one, two] = [await here.open('/roles'), await here.open('/roles')];
  await one.page.getByRole('row', { name: /^admin/ }).waitFor();
  assert.equal(await one.page.getByRole('button', { name: /^(Edit|Delete) admin/ }).count(), 0);
  await one.page.keyboard.press('c');
  await one.page.getByRole('textbox', { name: /^Name/ }).fill('Night Shift');
  await one.page.getByRole('group', { name: 'servers' }).getByLabel('read').check();
  await one.page.getByRole('button', { name: 'Create', exact: true }).click();
  // The browser refuses what the server would: the name is corrected.
  await one.page.getByRole('textbox', { name: /^Name/ }).fill('night-shift');
  await one.page.getByRole('button', { name: 'Create', exact: true }).click();
  const row = (page) => page.getByRole('row', { name: /night-shift/ });
  await row(two.page).waitFor();
  assert.equal(await row(two.page).getByText('yes').count(), 1);

  await here.user('nora', ['night-shift']);
  await one.page.getByRole('button', { name: 'Delete night-shift' }).click();
  await one.page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await one.page.getByRole('alert').getByText('1 users hold this role').waitFor();
  await one.page.keyboard.press('Escape');
  await one.page.getByRole('button', { name: 'Edit night-shift' }).click();
  await one.page.getByRole('group', { name: 'servers' }).getByLabel('write').check();
  await one.page.getByRole('button', { name: 'Save' }).click();
  await until('the other window has it too', async () => (await row(two.page).getByText('yes').count()) === 2);
  assert.deepEqual([...one.errors, ...two.errors], []);
  await Promise.all([one.context.close(), two.context.close()]);
});

test('whoever lacks the right sees users and changes nothing, and nobody changes who may do more', async () => {
  await here.user('anton', ['auditor']);
  const auditor = await here.open('/users', { username: 'anton' });
  await auditor.page.getByRole('link', { name: 'admin', exact: true }).click();
  await auditor.page.getByRole('heading', { name: 'Admin' }).waitFor();
  for (const name of ['Edit …', 'Disable …', 'New password link', 'New token …'])
    assert.equal(await auditor.page.getByRole('button', { name }).count(), 0, name);
  assert.ok(await auditor.page.getByRole('checkbox', { name: /^viewer/ }).isDisabled());
  await here.call('POST', '/roles', { name: 'desk', permissions: ['users.read', 'users.write'] });
  await here.user('dora', ['desk']);
  const desk = await here.open('/users', { username: 'dora' });
  await desk.page.getByRole('link', { name: 'admin', exact: true }).click();
  await desk.page.getByText('nobody changes such a user').waitFor();
  assert.equal(await desk.page.getByRole('button', { name: 'Disable …' }).count(), 0);
  await Promise.all([auditor.context.close(), desk.context.close()]);
});

test('one changes one’s own password, ends other sign-ins, and signs out everywhere', async () => {
  await here.user('paul', ['viewer']);
  const [first, second] = [
    await here.open('/account', { username: 'paul' }),
    await here.open('/', { username: 'paul' }),
  ];
  const sessions = (page) => page.getByRole('region', { name: 'Sign-ins' }).getByRole('row');
  await first.page.reload();
  await until('both sign-ins are listed', async () => (await sessions(first.page).count()) === 3);
  await first.page.getByRole('button', { name: /^End the sign-in/ }).click();
  await second.page.getByLabel('User name').waitFor();
  await until('one is left', async () => (await sessions(first.page).count()) === 2);

  await first.page.getByRole('button', { name: 'Change password …' }).click();
  await first.page.getByLabel('Present password').fill('guessed');
  await first.page.getByLabel('New password').fill(PASSWORD);
  await first.page.getByLabel('The same again').fill(`${PASSWORD}!`);
  const change = first.page.getByRole('dialog').getByRole('button', { name: 'Change' });
  await change.click();
  await first.page.getByRole('alert').getByText('The two new ones differ.').waitFor();
  await first.page.getByLabel('The same again').fill(PASSWORD);
  await change.click();
  await first.page.getByRole('alert').getByText('Old is not your password.').waitFor();
  await first.page.getByLabel('Present password').fill(here.server.password);
  await change.click();
  await toast(first.page, 'The password is changed.');

  await signIn(second.page, 'paul', PASSWORD);
  await second.page.locator('.badge[data-state=live]').waitFor();
  await first.page.getByRole('button', { name: 'Sign out everywhere …' }).click();
  await first.page.getByText('This sign-in and 1 more end.').waitFor();
  await first.page.getByRole('dialog').getByRole('button', { name: 'Sign out everywhere' }).click();
  for (const { page } of [first, second]) await page.getByLabel('User name').waitFor();
  await Promise.all([first.context.close(), second.context.close()]);
});

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing on the pages of users in ${colorScheme}, wide and at 360 px`, async () => {
    const { items } = await here.call('GET', '/users');
    const admin = items.find(({ username }) => username === 'admin');
    const name = `in-${colorScheme}`;
    const program = { username: name, name, kind: 'service_account', roles: ['operator'] };
    const { id } = await here.call('POST', '/users', program);
    await here.call('POST', `/users/${id}/tokens`, { name: 'nightly', permissions: ['incidents.read'] });
    await here.call('POST', '/roles', { name, description: 'A long description', permissions: ['servers.read'] });
    const { page, context, errors } = await here.open('/', looking(colorScheme));
    const found = [];
    const look = async (what, width) => found.push(...(await faults(page, `${what} ${width}`)));
    const dialogs = {
      '/users': 'New',
      '/roles': `Edit ${name}`,
      [`/users/${id}`]: 'New token …',
      '/account': 'Change password …',
    };
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 760 });
      for (const path of ['/users', `/users/${admin.id}`, `/users/${id}`, '/roles', '/account', '/users?q=nobody']) {
        await page.goto(here.server.url + path);
        await page.locator('.badge[data-state=live]').waitFor();
        await look(path, width);
        if (!dialogs[path]) continue;
        await page.getByRole('button', { name: dialogs[path] }).first().click();
        await page.getByRole('dialog').waitFor();
        await look(`${path} ${dialogs[path]}`, width);
      }
      for (const path of ['/invitation?user=x#sbi_x', '/invitation']) {
        await page.goto('about:blank');
        await page.goto(here.server.url + path);
        await page.getByRole('heading').first().waitFor();
        await look(path, width);
      }
    }
    assert.deepEqual([...found, ...errors], []);
    await context.close();
  });
}
