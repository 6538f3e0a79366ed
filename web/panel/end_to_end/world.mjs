// A server of its own, and browsers that look at it.
import { chromium } from 'playwright-core';
import { startServer } from '../../client/scripts/server.mjs';

/** Longest that anything may take to be seen. In ms. */
export const PATIENCE_MS = 15_000;

/** A server, a browser without a window, and the API. */
export async function world(settings = {}) {
  const server = await startServer({ settings });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'], // where the tests run as root
  });
  const { access_token } = await server.login();
  const call = async (method, path, body) => {
    const response = await fetch(`${server.url}/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${access_token}`, 'Content-Type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  return {
    server,
    browser,
    call,
    /** Reports an incident through the API. */
    report: (title, facts = {}) => call('POST', '/incidents', { title, ...facts }),
    /** Makes a user who has these roles, and sets the password. */
    user: async (username, roles) => {
      const { invitation } = await call('POST', '/users', { username, name: username, roles });
      const response = await fetch(`${server.url}/api/v1/auth/accept`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ invitation, password: server.password }),
      });
      if (!response.ok) throw new Error(`${username} has no password: ${response.status}`);
    },
    /** Waits until a page lists what the API does: open incidents, newest first, each in its status. */
    showsExactly: async (page) => {
      const statuses = ['triggered', 'acknowledged', 'investigating', 'mitigated'];
      const query = statuses.map((status) => `status=${status}`).join('&');
      await until('the list is what the API says', async () => {
        const { items } = await call('GET', `/incidents?order=-number&limit=200&${query}`);
        const [shown, truth] = [await listed(page), items.map(({ key, status }) => `${key} ${status}`)];
        return JSON.stringify(shown) === JSON.stringify(truth) || { shown, truth };
      });
    },
    /** How many streams somebody has open, counted at the server. */
    streams: async (username) => {
      const { items } = await call('GET', '/system/streams');
      return items.filter((one) => one.username === username).length;
    },
    /**
     * A browser that shares nothing with others, signed in, at a path. `prepare` gets the page before anything is
     * loaded; `state` is how the connection shall be at first.
     */
    open: async (path = '/', { username = 'admin', prepare, state = 'live', ...options } = {}) => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
      context.setDefaultTimeout(PATIENCE_MS);
      const page = await context.newPage();
      const errors = [];
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('console', (message) => {
        // A refused request is not an error of the page; what the policy refuses is.
        if (message.type() === 'error' && !/Failed to load resource|net::ERR/.test(message.text()))
          errors.push(message.text());
      });
      await prepare?.(page);
      await page.goto(server.url + path);
      await signIn(page, username, server.password);
      await page.mouse.move(0, 0); // off the list, which holds still under a pointer
      await page.locator(`.badge[data-state=${state}]`).waitFor();
      return { page, context, errors };
    },
    stop: async () => {
      await browser.close();
      await server.stop();
    },
  };
}

/** Fills in the page that asks who it is. */
export async function signIn(page, username, password) {
  await page.getByLabel('User name').fill(username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** The numbers in a list, from the top. */
export function listed(page) {
  return page
    .locator('.row[data-key]')
    .evaluateAll((rows) =>
      rows
        .sort((a, b) => Number(a.dataset.index) - Number(b.dataset.index))
        .map((row) => `${row.dataset.key} ${row.querySelector('.chip').textContent}`),
    );
}

/** Looks again and again until something holds. */
export async function until(what, holds) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const last = await holds();
    if (last === true) return;
    if (Date.now() > end) throw new Error(`not in ${PATIENCE_MS} ms: ${what}; last: ${JSON.stringify(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
