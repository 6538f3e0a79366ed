// Starts the signalbox program with a PostgreSQL of its own in a new folder, and takes all of it away again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as passed } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const PASSWORD = 'only for this run';
/** From the start to the line that says where it listens: initdb and migrations on a busy machine. In ms. */
const START_MS = 120_000;

/** What is kept of the reason why it did not start, in characters. */
const MOST_SAID = 4_000;

/** The program: `SIGNALBOX_BIN`, which `make test` sets, or the debug build. */
export const BINARY =
  process.env.SIGNALBOX_BIN ?? fileURLToPath(new URL('../../../target/debug/signalbox', import.meta.url));

/** A server with its own database. `port` 0 takes a free one. */
export async function startServer({ settings = {} } = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'signalbox-client-'));
  await chmod(directory, 0o755); // PostgreSQL runs as a user of its own where we are root
  const remove = () => rm(directory, { recursive: true, force: true, maxRetries: 3 });
  let running = await run(directory, 0, settings).catch(async (error) => {
    await remove();
    throw error;
  });
  const url = running.url;
  const port = Number(new URL(url).port);
  const stop = async () => {
    await end(running.process, 'SIGTERM');
    await remove();
  };
  const login = async () => {
    const response = await fetch(`${url}/api/v1/auth/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username: 'admin', password: PASSWORD }),
    });
    if (!response.ok) throw new Error(`cannot sign in: ${response.status} ${await response.text()}`);
    return response.json();
  };
  return {
    url,
    password: PASSWORD,
    login,
    stop,
    /** Ends the server without a word, as a crash does. */
    kill: () => end(running.process, 'SIGKILL'),
    /** Starts it again on the same port and data, perhaps with other settings too. */
    restart: async (others = {}) => void (running = await run(directory, port, { ...settings, ...others })),
    /** The answer of `GET /api/v1/event-types`. */
    registry: async () => {
      const { access_token } = await login();
      const headers = { Authorization: `Bearer ${access_token}` };
      return (await fetch(`${url}/api/v1/event-types`, { headers })).json();
    },
  };
}

async function run(directory, port, settings) {
  const env = { ...process.env, SIGNALBOX_ADMIN_PASSWORD: PASSWORD, SIGNALBOX_LOG: 'warn', ...settings };
  for (const name of ['DATABASE_URL', 'DATABASE_DIRECT_URL', 'DATABASE_MIGRATE_URL']) delete env[name];
  const child = spawn(BINARY, ['serve', `--listen=127.0.0.1:${port}`], {
    cwd: directory,
    env: { ...env, SIGNALBOX_DIRECTORY: directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (text) => (said = (said + text).slice(0, MOST_SAID)));
  child.on('error', (error) => (said += `${error.message}: build it with \`cargo build\`, or set SIGNALBOX_BIN`));
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const url = /listens on (http:\S+)/.exec(line)?.[1];
      if (url && (await answers(url, child))) return { process: child, url };
    }
  } finally {
    clearTimeout(timer);
  }
  throw new Error(`${BINARY} did not start: ${said}`);
}

/** It listens before it answers. False where it ends instead. */
async function answers(url, child) {
  while (child.exitCode === null && child.signalCode === null) {
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    if (response?.ok) return true;
    await passed(20);
  }
  return false;
}

async function end(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}
